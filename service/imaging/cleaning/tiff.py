"""TIFF: every tag but those that describe the pixels, with all that it leads to.

Source: TIFF 6.0 (Adobe, 1992), section 2; BigTIFF as libtiff documents it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from service.errors import Unshowable
from service.imaging import exif
from service.imaging.cleaning.base import Patch
from service.imaging.structure import Data

#: Entries of all directories of a file: pages have about 20, and smaller copies of them as well.
MAX_ENTRIES = 20_000

#: Bytes of one value of each kind, by its number.
_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
_SMALLER_COPIES, _COMPATIBILITY = 330, 0xA005
#: Tags that lead to directories of their own, none of which describes pixels.
_TELLING = frozenset({exif.CAMERA, exif.GPS, _COMPATIBILITY})
#: Of the baseline and its extensions; old and new JPEG; YCbCr; ICC; LERC, depths and ranges.
_KEPT = frozenset(
    {254, 255, 273, 274, 286, 287, 296, 297, 301, 332, 334, 336, 347, 34675, 50674}
    | {_SMALLER_COPIES, *range(256, 260), *range(262, 267), *range(277, 285), *range(290, 294)}
    | {*range(317, 330), *range(338, 346), *range(512, 522), *range(529, 533)}
    | {*range(32995, 32999)}
)


@dataclass(frozen=True)
class _Layout:
    """How a TIFF or BigTIFF writes its numbers, in the words of `struct`."""

    order: str
    count: str
    entry: str
    pointer: str
    #: Where it says where its first directory is.
    first: int

    def read(self, kind: str, data: Data, position: int) -> int:
        return int(struct.unpack_from(self.order + kind, data, position)[0])


@dataclass(frozen=True)
class _Entry:
    tag: int
    raw: bytes
    #: Where its values are, and how many bytes they take.
    offset: int
    length: int


def clean(data: Data) -> Iterator[Patch]:
    """Each directory is written anew without the entries that tell, which takes less room."""
    layout = _layout(data)
    waiting, seen, left = [layout.read(layout.pointer, data, layout.first)], {0}, MAX_ENTRIES
    while waiting:
        start = waiting.pop()
        if start in seen:
            continue
        seen.add(start)
        entries, end = _entries(data, layout, start)
        left -= 1 + len(entries)
        if left < 0:
            raise Unshowable(f"The original has more than {MAX_ENTRIES} tags.")
        following = layout.read(layout.pointer, data, end)
        waiting.append(following)
        for entry in entries:
            if entry.tag == _SMALLER_COPIES:
                waiting += _pointers(data, layout, entry)
            elif entry.tag not in _KEPT:
                yield from _erased(data, layout, entry)
        kept = [entry.raw for entry in entries if entry.tag in _KEPT]
        told = struct.pack(layout.order + layout.count, len(kept)) + b"".join(kept)
        told += struct.pack(layout.order + layout.pointer, following)
        yield Patch(start, told, zeros=sum(len(one.raw) for one in entries if one.tag not in _KEPT))


def _layout(data: Data) -> _Layout:
    order = "<" if data[:1] == b"I" else ">"
    if struct.unpack_from(order + "H", data, 2)[0] == 43:
        return _Layout(order, "Q", "HHQQ", "Q", 8)
    return _Layout(order, "H", "HHII", "I", 4)


def _entries(data: Data, layout: _Layout, start: int) -> tuple[list[_Entry], int]:
    """The entries of a directory, and where they end."""
    count = layout.read(layout.count, data, start)
    if count > MAX_ENTRIES:
        raise Unshowable(f"The original has more than {MAX_ENTRIES} tags.")
    size = struct.calcsize("=" + layout.entry)
    room = struct.calcsize("=" + layout.pointer)
    start += struct.calcsize("=" + layout.count)
    found = []
    for at in range(start, start + count * size, size):
        tag, kind, values, value = struct.unpack_from(layout.order + layout.entry, data, at)
        length = values * (_BYTES[kind] if kind < len(_BYTES) else 1)
        offset = at + size - room if length <= room else value
        found.append(_Entry(tag, bytes(data[at : at + size]), offset, length))
    return found, start + count * size


def _pointers(data: Data, layout: _Layout, entry: _Entry) -> list[int]:
    """The places that an entry leads to."""
    size = struct.calcsize("=" + layout.pointer)
    ends = range(entry.offset, entry.offset + min(entry.length, MAX_ENTRIES * size), size)
    return [layout.read(layout.pointer, data, at) for at in ends]


def _erased(data: Data, layout: _Layout, entry: _Entry, depth: int = 0) -> Iterator[Patch]:
    """An entry's values as zeros, and those of the directories that it leads to."""
    if entry.tag in _TELLING and depth < len(_TELLING):
        for start in _pointers(data, layout, entry):
            entries, end = _entries(data, layout, start)
            for one in entries:
                yield from _erased(data, layout, one, depth + 1)
            yield Patch(start, zeros=end - start)
    yield Patch(entry.offset, zeros=entry.length)
