"""AVIF and HEIC: the items of EXIF and XMP, as its index names them, and boxes of other trades.

Source: as `structure.boxes`; ISO/IEC 23008-12, annex A (EXIF).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from service.imaging.cleaning.base import Patch, only_orientation
from service.imaging.structure import Data
from service.imaging.structure.boxes import Box, Item, boxes, index, items

#: Boxes of the file that are needed; in those of a film and its tracks, what is not.
_KEPT = frozenset({b"ftyp", b"meta", b"mdat", b"moov"})
_TELLING = frozenset({b"udta", b"meta", b"uuid", b"free", b"skip"})
#: Items that are not pictures: EXIF, XMP and other texts.
_TEXTS = frozenset({b"mime", b"uri "})


def clean(data: Data) -> Iterator[Patch]:
    for box in boxes(data, 0, len(data)):
        if box.kind == b"moov":
            yield from _film(data, box)
        elif box.kind not in _KEPT:
            yield from _freed(box)
    for item in items(data, index(data)).values():
        if item.kind == b"Exif":
            yield from _exif(data, item)
        elif item.kind in _TEXTS:
            yield from _blank(data, item)


def _film(data: Data, parent: Box) -> Iterator[Patch]:
    for box in boxes(data, parent.start, parent.end):
        if box.kind == b"trak":
            yield from _film(data, box)
        elif box.kind in _TELLING:
            yield from _freed(box)


def _freed(box: Box) -> Iterator[Patch]:
    """As a box whose room nobody uses."""
    yield Patch(box.offset + 4, b"free")
    yield Patch(box.start, zeros=box.end - box.start)


def _exif(data: Data, item: Item) -> Iterator[Patch]:
    """Its first four bytes say how far behind them the block is; here it follows at once."""
    if len(item.pieces) != 1:
        yield from _blank(data, item)
        return
    ((offset, length),) = item.pieces
    end = offset + length if length else len(data)
    skipped = struct.unpack_from(">I", data, offset)[0]
    block = only_orientation(bytes(data[offset + 4 + skipped : end]), offset + 4)
    yield Patch(offset, zeros=4)
    yield block
    yield Patch(block.end, zeros=max(0, end - block.end))


def _blank(data: Data, item: Item) -> Iterator[Patch]:
    for offset, length in item.pieces:
        yield Patch(offset, zeros=length or len(data) - offset)
