"""Changes of single bytes, and what all cleaners make of EXIF."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from service.imaging import exif
from service.imaging.structure import Data

EXIF_NAME = b"Exif\0\0"
_PIECE_BYTES = 1 << 16


@dataclass(frozen=True)
class Patch:
    """What is to stand at a place of the file instead: some bytes, then some zeros."""

    offset: int
    data: bytes = b""
    zeros: int = 0

    @property
    def end(self) -> int:
        return self.offset + len(self.data) + self.zeros

    def between(self, low: int, high: int) -> bytes:
        """The part of it for these places of the file, which are its own."""
        return self.data[low - self.offset : high - self.offset].ljust(high - low, b"\0")

    def differs(self, data: Data) -> bool:
        """Whether the file says something else there."""
        places = range(self.offset, min(self.end, len(data)), _PIECE_BYTES)
        ends = (min(low + _PIECE_BYTES, self.end, len(data)) for low in places)
        return any(
            data[low:high] != self.between(low, high)
            for low, high in zip(places, ends, strict=True)
        )


def patched(chunk: bytes, start: int, changes: tuple[Patch, ...]) -> bytes:
    """A piece of the file, which begins at `start`, with the changes that fall into it."""
    end = start + len(chunk)
    meeting = [change for change in changes if change.offset < end and start < change.end]
    if not meeting:
        return chunk
    piece = bytearray(chunk)
    for change in meeting:
        low, high = max(change.offset, start), min(change.end, end)
        piece[low - start : high - start] = change.between(low, high)
    return bytes(piece)


def only_orientation(block: bytes, offset: int) -> Patch:
    """In place of an EXIF block, one as long that tells the orientation and nothing else."""
    name = EXIF_NAME if block.startswith(EXIF_NAME) else b""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, exif.orientation(block), 0)
    told = name + b"MM\0*\0\0\0\x08" + struct.pack(">H", 1) + entry + bytes(4)
    if len(block) < len(told):
        return Patch(offset, zeros=len(block))
    return Patch(offset, told, zeros=len(block) - len(told))
