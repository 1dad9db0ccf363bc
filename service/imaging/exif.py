"""The two things taken from EXIF: the orientation, and whether it says where that was.

Read here rather than by Pillow, which parses every tag, warns about corrupt ones through a
process-wide filter, and costs more than the rest of the probe.
Source: CIPA DC-008 (Exif 2.32), 4.6.4, tag 0x0112; TIFF 6.0, section 2.
"""

from __future__ import annotations

import struct
from contextlib import suppress

from PIL.Image import Image, Transpose

from service.imaging.window import Box, Size

_ORIENTATION = 0x0112
#: The tags that lead to what the camera says, and to where a picture was taken.
CAMERA, GPS = 0x8769, 0x8825
_SHORT = 3
_MAX_ENTRIES = 1_000

_TO_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}

#: The axes of the stored picture that run the other way in the displayed one.
_MIRRORED = {
    2: (True, False),
    3: (True, True),
    4: (False, True),
    6: (False, True),
    7: (True, True),
    8: (True, False),
}


def orientation(block: bytes) -> int:
    """The orientation 1..8 in an EXIF block (a TIFF header on); 1 where absent or nonsense."""
    kind, value = _tags(block).get(_ORIENTATION, (0, 0))
    return value if kind == _SHORT and 1 <= value <= 8 else 1


def has_place(block: bytes) -> bool:
    """Whether an EXIF block says where the picture was taken."""
    return GPS in _tags(block)


def _tags(block: bytes) -> dict[int, tuple[int, int]]:
    """The first directory: the kind of each tag, and its value as far as it is a short."""
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    found: dict[int, tuple[int, int]] = {}
    if order is None:
        return found
    with suppress(struct.error):
        (start,) = struct.unpack_from(order + "I", block, 4)
        (entries,) = struct.unpack_from(order + "H", block, start)
        for index in range(min(entries, _MAX_ENTRIES)):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", block, start + 2 + 12 * index)
            found.setdefault(tag, (kind, value))
    return found


def swaps_axes(turned: int) -> bool:
    """Whether this orientation exchanges width and height."""
    return turned >= 5


def as_stored(box: Box, size: Size, turned: int) -> Box:
    """Where a box of the displayed picture, which has this size, lies in the stored one."""
    left, top, right, bottom = box
    if swaps_axes(turned):
        left, top, right, bottom = top, left, bottom, right
        size = (size[1], size[0])
    across, down = _MIRRORED.get(turned, (False, False))
    if across:
        left, right = size[0] - right, size[0] - left
    if down:
        top, bottom = size[1] - bottom, size[1] - top
    return left, top, right, bottom


def upright(image: Image, turned: int) -> Image:
    """The stored picture as it is to be seen; the same object for orientation 1."""
    transpose = _TO_UPRIGHT.get(turned)
    return image if transpose is None else image.transpose(transpose)
