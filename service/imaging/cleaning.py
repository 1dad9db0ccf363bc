"""A stored file without its metadata, as changes of single bytes: as long as before, pixels as are.

EXIF is replaced by a block that holds the orientation alone; of TIFF and AVIF, by zeros where the
camera's and the place's directories were. XMP, IPTC and PNG's texts become blanks. Colour profiles
stay. Nothing is decoded; the file is read once, through a mapping.
"""

from __future__ import annotations

import mmap
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from service.errors import Unshowable
from service.imaging import exif
from service.imaging.structure import Data

_EXIF_NAME = b"Exif\0\0"
#: Segments of JPEG with metadata, wherever they are: of a phone's photograph, the second picture
#: has its own.
_SEGMENTS = re.compile(
    rb"\xff[\xe1\xed]..(?:(Exif\0\0)|http://ns\.adobe\.com/x|Photoshop 3\.0\0)", re.DOTALL
)
_BLOCK = re.compile(rb"Exif\0\0(?:II\*\0|MM\0\*)")
_MAX_BLOCK_BYTES = 1 << 20
_XMP = re.compile(rb"<x:xmpmeta.*?</x:xmpmeta>", re.DOTALL)
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
#: A chunk of PNG that every reader passes over.
_IGNORED = b"prVt"
#: Tags of TIFF that lead to directories of their own: EXIF, and the place.
_DIRECTORIES = (exif.CAMERA, exif.GPS)
#: Bytes of one value of each kind of TIFF's, by its number. Source: TIFF 6.0, section 2.
_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8)
_MAX_ENTRIES = 1_000


@dataclass(frozen=True)
class Patch:
    """What is to stand at a place of the file instead."""

    offset: int
    data: bytes


def patches(source: Path, picture_format: str) -> tuple[Patch, ...]:
    """What to change so that the file holds no EXIF but the orientation, no XMP, no IPTC.

    Raises:
        Unshowable: its metadata cannot be told from the rest.
        OSError: the file cannot be read.
    """
    cleaner = _CLEANERS.get(picture_format, _texts)
    with (
        source.open("rb", buffering=0) as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        try:
            return tuple(cleaner(data))
        except (struct.error, IndexError) as error:
            raise Unshowable("The metadata of the original cannot be taken out.") from error


def patched(chunk: bytes, start: int, changes: tuple[Patch, ...]) -> bytes:
    """A piece of the file, which begins at `start`, with the changes that fall into it."""
    if not any(_meets(change, start, len(chunk)) for change in changes):
        return chunk
    piece = bytearray(chunk)
    for change in changes:
        if _meets(change, start, len(chunk)):
            low, high = max(change.offset, start), change.offset + len(change.data)
            high = min(high, start + len(chunk))
            piece[low - start : high - start] = change.data[
                low - change.offset : high - change.offset
            ]
    return bytes(piece)


def _meets(change: Patch, start: int, length: int) -> bool:
    return change.offset < start + length and start < change.offset + len(change.data)


def _only_orientation(block: bytes) -> bytes:
    """An EXIF block of the same length that tells the orientation and nothing else."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, exif.orientation(block), 0)
    told = b"MM\0*\0\0\0\x08" + struct.pack(">H", 1) + entry + bytes(4)
    return told.ljust(len(block), b"\0") if len(block) >= len(told) else bytes(len(block))


def _texts(data: Data) -> Iterator[Patch]:
    """XMP, blank: in any format it stands as text, and is to be found by its first words."""
    for found in _XMP.finditer(data):
        yield Patch(found.start(), b" " * (found.end() - found.start()))


def _jpeg(data: Data) -> Iterator[Patch]:
    yield from _texts(data)
    for found in _SEGMENTS.finditer(data):
        start = found.start() + 4
        length = struct.unpack_from(">H", data, found.start() + 2)[0] - 2
        payload = bytes(data[start : start + length])
        if found[1]:
            yield Patch(start + len(_EXIF_NAME), _only_orientation(payload[len(_EXIF_NAME) :]))
        else:
            yield Patch(start, bytes(len(payload)))


def _png(data: Data) -> Iterator[Patch]:
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"eXIf":
            block = _only_orientation(bytes(data[position + 8 : position + 8 + length]))
            yield Patch(position + 4, _with_check(kind + block))
        elif kind in _TEXTS:
            yield Patch(position + 4, _with_check(_IGNORED + bytes(length)))
        position += length + 12


def _with_check(chunk: bytes) -> bytes:
    return chunk + struct.pack(">I", zlib.crc32(chunk))


def _webp(data: Data) -> Iterator[Patch]:
    yield from _texts(data)
    position = 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        if kind == b"EXIF":
            block = bytes(data[position + 8 : position + 8 + length])
            name = _EXIF_NAME if block.startswith(_EXIF_NAME) else b""
            yield Patch(position + 8 + len(name), _only_orientation(block[len(name) :]))
        position += 8 + length + (length & 1)


def _tiff(data: Data) -> Iterator[Patch]:
    """The directories of the camera and of the place, and all that they lead to, as zeros."""
    yield from _texts(data)
    order = "<" if data[:1] == b"I" else ">"
    if struct.unpack_from(order + "H", data, 2)[0] != 42:
        raise Unshowable("The metadata of a BigTIFF cannot be taken out.")
    for tag, _, value in _entries(data, order, struct.unpack_from(order + "I", data, 4)[0]):
        if tag in _DIRECTORIES:
            for _, (offset, length), _ in _entries(data, order, value):
                yield Patch(offset, bytes(length))
            count = struct.unpack_from(order + "H", data, value)[0]
            yield Patch(value, bytes(2 + 12 * min(count, _MAX_ENTRIES)))


def _entries(data: Data, order: str, start: int) -> Iterator[tuple[int, tuple[int, int], int]]:
    """Each entry of a directory: its tag, where its values are, and the first of them."""
    count = struct.unpack_from(order + "H", data, start)[0]
    for index in range(min(count, _MAX_ENTRIES)):
        at = start + 2 + 12 * index
        tag, kind, values, value = struct.unpack_from(order + "HHII", data, at)
        length = values * (_BYTES[kind] if kind < len(_BYTES) else 1)
        inside = length <= 4 or value + length > len(data)
        yield tag, (at + 8, 4) if inside else (value, length), value


def _avif(data: Data) -> Iterator[Patch]:
    """What `_tiff` takes out, of each block of EXIF; where it ends, only the file's index says."""
    yield from _texts(data)
    for found in _BLOCK.finditer(data):
        block = bytes(data[found.end() - 4 : found.end() - 4 + _MAX_BLOCK_BYTES])
        for change in _tiff(block):
            yield Patch(found.end() - 4 + change.offset, change.data)


_CLEANERS: Mapping[str, Callable[[Data], Iterator[Patch]]] = MappingProxyType(
    {"jpeg": _jpeg, "png": _png, "webp": _webp, "tiff": _tiff, "avif": _avif}
)
