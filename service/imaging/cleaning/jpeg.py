"""JPEG: segments of applications and comments, of each picture in the file, and what is between.

Source: ITU-T T.81, annex B; CIPA DC-007 (several pictures in one file).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Generator, Iterator

from service.errors import Unshowable
from service.imaging.cleaning.base import EXIF_NAME, Patch, only_orientation
from service.imaging.structure import Data

#: Segments of one file; the pictures of a phone have 200 together.
MAX_SEGMENTS = 20_000

_START = b"\xff\xd8\xff"
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SOI, _EOI, _SOS, _APP1, _TEM = 0xD8, 0xD9, 0xDA, 0xE1, 0x01
#: Frames, tables and scans; others are of applications, of reserved use, or comments.
_CODING = range(0xC0, 0xE0)
#: What a decoder, or a reader of the second picture, needs of those others.
_KEPT = (
    (0xE0, b"JFIF\0"),
    (0xE2, b"ICC_PROFILE\0"),
    (0xE2, b"MPF\0"),
    (0xEE, b"Adobe"),
)


def clean(data: Data) -> Iterator[Patch]:
    """The first picture, and each that follows; what lies between or behind them is no picture."""
    position = 0
    while position >= 0:
        end = yield from _picture(data, position)
        position = data.find(_START, end)
        yield Patch(end, zeros=(position if position >= 0 else len(data)) - end)


def _picture(data: Data, start: int) -> Generator[Patch, None, int]:
    """From a picture's first byte to behind its last, which is returned."""
    position, marker = start, _SOI
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(data, position)
        stop = found.start() if found else len(data)
        if marker != _SOS and data[position:stop].strip(b"\xff"):
            yield Patch(position, zeros=stop - position)
        if found is None:
            return len(data)
        marker, position = data[found.end() - 1], found.end()
        if marker == _EOI:
            return position
        if marker not in {_SOI, _TEM}:
            length = struct.unpack_from(">H", data, position)[0]
            if marker not in _CODING:
                yield from _segment(marker, bytes(data[position + 2 : position + length]), position)
            position += length
    raise Unshowable(f"The original has more than {MAX_SEGMENTS} segments.")


def _segment(marker: int, payload: bytes, position: int) -> Iterator[Patch]:
    if marker == _APP1 and payload.startswith(EXIF_NAME):
        yield only_orientation(payload, position + 2)
    elif not any(marker == code and payload.startswith(name) for code, name in _KEPT):
        yield Patch(position + 2, zeros=len(payload))
