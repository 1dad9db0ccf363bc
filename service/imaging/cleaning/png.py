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
        if kind == b"eXIf":
            block = only_orientation(bytes(data[position + 8 : position + 8 + length]))
            yield Patch(position + 4, _with_check(kind + block))
        elif kind not in _KEPT and position + length + 12 <= len(data):
            check = struct.pack(">I", zlib.crc32(bytes(length), zlib.crc32(_IGNORED)))
            yield Patch(position + 4, _IGNORED, zeros=length)
            yield Patch(position + 8 + length, check)
        position += length + 12
    yield Patch(position, zeros=max(0, len(data) - position))


def _with_check(chunk: bytes) -> bytes:
    return chunk + struct.pack(">I", zlib.crc32(chunk))
