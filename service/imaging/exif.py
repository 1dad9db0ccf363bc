"""The one thing taken from EXIF: the orientation.

Read here rather than by Pillow, which parses every tag, warns about corrupt ones through a
process-wide filter, and costs more than the rest of the probe.
Source: CIPA DC-008 (Exif 2.32), 4.6.4, tag 0x0112; TIFF 6.0, section 2.
"""

from __future__ import annotations

import struct

from PIL.Image import Image, Transpose

_ORIENTATION = 0x0112
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


def orientation(block: bytes) -> int:
    """The orientation 1..8 in an EXIF block (a TIFF header on); 1 where absent or nonsense."""
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return 1
    try:
        return _first_directory(block, order)
    except struct.error:
        return 1


def _first_directory(block: bytes, order: str) -> int:
    (start,) = struct.unpack_from(order + "I", block, 4)
    (entries,) = struct.unpack_from(order + "H", block, start)
    for index in range(min(entries, _MAX_ENTRIES)):
        tag, kind, _, value = struct.unpack_from(order + "HHIH", block, start + 2 + 12 * index)
        if tag == _ORIENTATION:
            return value if kind == _SHORT and 1 <= value <= 8 else 1
    return 1


def swaps_axes(turned: int) -> bool:
    """Whether this orientation exchanges width and height."""
    return turned >= 5


def upright(image: Image, turned: int) -> Image:
    """The stored picture as it is to be seen; the same object for orientation 1."""
    transpose = _TO_UPRIGHT.get(turned)
    return image if transpose is None else image.transpose(transpose)
