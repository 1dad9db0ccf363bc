"""PNG: every chunk but those of pixels and colours.

Source: PNG specification, third edition (W3C), sections 5 and 11.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from service.imaging.cleaning.base import Patch, only_orientation
from service.imaging.structure import Data

_KEPT = frozenset(
    b"IHDR PLTE IDAT IEND tRNS acTL fcTL fdAT "
    b"cHRM gAMA iCCP sBIT sRGB cICP mDCV mDCv cLLI cLLi bKGD hIST pHYs".split()
)
#: A chunk that every reader passes over.
_IGNORED = b"prVt"


def clean(data: Data) -> Iterator[Patch]:
    position, kind = 8, b""
    while position + 8 <= len(data) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        start, stop = position + 8, position + 8 + length
        if kind == b"eXIf":
            change = only_orientation(bytes(data[start:stop]), start)
            yield change
            yield _check(kind + change.data, change.zeros, stop)
        elif kind not in _KEPT:
            zeros = min(length, len(data) - start)
            yield Patch(position + 4, _IGNORED, zeros=zeros)
            yield _check(_IGNORED, zeros, stop)
        position = stop + 4
    yield Patch(position, zeros=max(0, len(data) - position))


def _check(told: bytes, zeros: int, offset: int) -> Patch:
    return Patch(offset, struct.pack(">I", zlib.crc32(bytes(zeros), zlib.crc32(told))))
