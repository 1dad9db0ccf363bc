"""WebP: every chunk but those of pixels and the profile, within frames as well.

Source: RFC 9649, section 2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from service.errors import Unshowable
from service.imaging.cleaning.base import Patch, only_orientation
from service.imaging.structure import Data

#: Chunks of one file or frame; a frame has two.
MAX_CHUNKS = 5_000

_KEPT = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ICCP"})


def clean(data: Data) -> Iterator[Patch]:
    end = min(len(data), 8 + struct.unpack_from("<I", data, 4)[0])
    yield from _chunks(data, 12, end)
    yield Patch(end, zeros=len(data) - end)


def _chunks(data: Data, position: int, end: int) -> Iterator[Patch]:
    for _ in range(MAX_CHUNKS):
        if position + 8 > end:
            return
        kind, length = struct.unpack_from("<4sI", data, position)
        start, position = position + 8, position + 8 + length + (length & 1)
        stop = min(start + length, end)
        if kind == b"ANMF":
            yield from _chunks(data, start + 16, stop)
        elif kind == b"EXIF":
            yield only_orientation(bytes(data[start:stop]), start)
        elif kind not in _KEPT:
            yield Patch(start, zeros=stop - start)
    raise Unshowable(f"The original has more than {MAX_CHUNKS} chunks.")
