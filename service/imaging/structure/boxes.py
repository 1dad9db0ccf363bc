"""Boxes, and the items that AVIF and HEIC keep in them: what each is, and where.

Source: ISO/IEC 14496-12, sections 4.2 (boxes) and 8.11 (iloc, iinf, iprp); ISO/IEC 23008-12,
sections 6 and 9.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from service.errors import UnreadablePicture
from service.imaging.structure.base import Data

#: Boxes in one box, and items of one file; a phone's photograph has 100.
MAX_BOXES = 10_000

#: Offset and length of each piece of an item; a length of 0 means all that follows.
Pieces = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Box:
    kind: bytes
    #: Where it begins, and where its content does and ends.
    offset: int
    start: int
    end: int


@dataclass(frozen=True)
class Item:
    kind: bytes
    pieces: Pieces


def boxes(data: Data, start: int, end: int) -> Iterator[Box]:
    """The boxes between two places; one that is cut short ends there.

    Raises:
        UnreadablePicture: more than `MAX_BOXES`, or a box smaller than its own head.
    """
    for _ in range(MAX_BOXES):
        if start + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", data, start + 8)[0], 16
        stop = min(end, start + size) if size else end
        if stop < start + head:
            raise UnreadablePicture("A box is smaller than its own head")
        yield Box(kind, start, start + head, stop)
        start = stop
    raise UnreadablePicture(f"More than {MAX_BOXES} boxes")


def index(data: Data) -> dict[bytes, Box]:
    """The boxes that tell of the file's items, by their kind; none where it has no items."""
    for box in boxes(data, 0, len(data)):
        if box.kind == b"meta":
            return {one.kind: one for one in boxes(data, box.start + 4, box.end)}
    return {}


def items(data: Data, index: dict[bytes, Box]) -> dict[int, Item]:
    """Each item by its number. Raises: UnreadablePicture."""
    if not {b"iinf", b"iloc"} <= index.keys():
        return {}
    kinds, places = dict(_kinds(data, index[b"iinf"])), dict(_places(data, index))
    return {number: Item(kind, places.get(number, ())) for number, kind in kinds.items()}


def _kinds(data: Data, box: Box) -> Iterator[tuple[int, bytes]]:
    start = box.start + (8 if data[box.start] else 6)
    for entry in boxes(data, start, box.end):
        if entry.kind == b"infe" and data[entry.start] >= 2:
            number = ">I" if data[entry.start] == 3 else ">H"
            at = entry.start + 4
            skipped = at + struct.calcsize(number) + 2
            yield struct.unpack_from(number, data, at)[0], bytes(data[skipped : skipped + 4])


def _places(data: Data, index: dict[bytes, Box]) -> Iterator[tuple[int, Pieces]]:
    """Where each item's bytes are.

    Raises:
        UnreadablePicture: it does not say, or in more than `MAX_BOXES` pieces.
    """
    box = index[b"iloc"]
    read = _Reader(data, box.start + 4, box.end)
    version, sizes = data[box.start], read.number(2)
    wide, left = 4 if version == 2 else 2, MAX_BOXES
    for _ in range(read.number(wide)):
        number = read.number(wide)
        origin = _origin(index, read.number(2)) if version else 0
        read.number(2)  # which file: this one
        origin += read.number(sizes >> 4 & 15)
        pieces = read.number(2)
        left -= 1 + pieces
        if left < 0:
            raise UnreadablePicture(f"Items in more than {MAX_BOXES} pieces")
        yield number, tuple(_piece(read, origin, sizes, version) for _ in range(pieces))


def _origin(index: dict[bytes, Box], method: int) -> int:
    """Where offsets are counted from: the file's first byte, or that of a box of data."""
    if method & 15 > 1 or (method & 15 == 1 and b"idat" not in index):
        raise UnreadablePicture("An item is made of others' bytes")
    return index[b"idat"].start if method & 15 else 0


def _piece(read: _Reader, origin: int, sizes: int, version: int) -> tuple[int, int]:
    if version:
        read.number(sizes & 15)
    return origin + read.number(sizes >> 12), read.number(sizes >> 8 & 15)


@dataclass
class _Reader:
    """Numbers of one box, one after another."""

    data: Data
    position: int
    end: int

    def number(self, size: int) -> int:
        """The next one, of so many bytes, the highest first."""
        start, self.position = self.position, self.position + size
        if self.position > self.end:
            raise UnreadablePicture("The list of items is cut short")
        return int.from_bytes(self.data[start : self.position], "big")
