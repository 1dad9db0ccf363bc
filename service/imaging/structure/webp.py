"""WebP chunks: the canvas, the frames and the EXIF block.

Source: RFC 9649, sections 2.3-2.7 (RIFF container), 3.4 and RFC 6386, 9.1 (picture headers).
"""

from __future__ import annotations

import struct

from service.errors import UnreadablePicture
from service.imaging.structure.base import Bounds, Data, Structure

#: Chunks other than frames.
MAX_OTHER_CHUNKS = 1_000

_METADATA = {b"EXIF": "exif", b"XMP ": "xmp", b"ICCP": "icc"}
_CHUNK = struct.Struct("<4sI")


def walk(data: Data, bounds: Bounds) -> Structure:
    """Canvas size, frames and EXIF block; a file cut short ends the walk.

    Raises:
        UnreadablePicture: no picture header, or too many chunks.
    """
    width, height = _size(data)
    frames, others, exif, position = 0, 0, b"", 12
    metadata = set[str]()
    while position + 8 <= len(data) and frames <= bounds.max_frames:
        kind, length = _CHUNK.unpack_from(data, position)
        if kind == b"ANMF":
            frames += 1
        else:
            others += 1
        if kind in _METADATA:
            metadata.add(_METADATA[kind])
        if kind == b"EXIF":
            exif = data[position + 8 : position + 8 + length]
        if others > MAX_OTHER_CHUNKS:
            raise UnreadablePicture(f"More than {MAX_OTHER_CHUNKS} WebP chunks")
        position += 8 + length + (length & 1)
    exif = exif.removeprefix(b"Exif\0\0")
    return Structure(width, height, max(1, frames), exif=exif, metadata=frozenset(metadata))


def _size(data: Data) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return _three(data, 24) + 1, _three(data, 27) + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        sizes = int.from_bytes(data[26:30], "little")
        return sizes & 0x3FFF, sizes >> 16 & 0x3FFF
    raise UnreadablePicture("The WebP does not begin with a picture")


def _three(data: Data, position: int) -> int:
    return int.from_bytes(data[position : position + 3], "little")
