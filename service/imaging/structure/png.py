"""PNG and APNG chunks.

Source: PNG specification, third edition (W3C), sections 5 (chunks) and 11.3 (acTL, fcTL, eXIf).
"""

from __future__ import annotations

import struct

from service.errors import UnreadablePicture
from service.imaging.structure.base import Bounds, Data, Structure

#: Chunks that carry no pixels; Pillow handles each in Python.
MAX_OTHER_CHUNKS = 2_000
#: Chunks that carry pixels; 50 MB in libpng's 8 KiB pieces are 6,400.
MAX_DATA_CHUNKS = 100_000

#: Chunks with metadata.
_METADATA = {
    b"eXIf": "exif",
    b"iCCP": "icc",
    b"tEXt": "comment",
    b"zTXt": "comment",
    b"iTXt": "comment",
    b"tIME": "comment",
}
_XMP = b"XML:com.adobe.xmp\0"

_HEADER = struct.Struct(">I4s")
_SIZE = struct.Struct(">II")


def walk(data: Data, bounds: Bounds) -> Structure:
    """Size, EXIF block and frames: the larger of what acTL announces and fcTL brings.

    A file cut short ends the walk; that is for the decoder to find.

    Raises:
        UnreadablePicture: no header, an invalid animation header, too many chunks.
    """
    kinds = dict.fromkeys((b"IDAT", b"fdAT", b"fcTL", b"acTL"), 0)
    announced, others, exif, position = 1, 0, b"", 8
    metadata = set[str]()
    width, height = _size(data)
    while position + 8 <= len(data):
        length, kind = _HEADER.unpack_from(data, position)
        if kind in kinds:
            kinds[kind] += 1
        else:
            others += 1
        if kind in _METADATA:
            metadata.add(_kind(kind, data[position + 8 : position + 8 + len(_XMP)]))
        if kind == b"acTL" and position + 12 <= len(data):
            announced = int.from_bytes(data[position + 8 : position + 12], "big")
        elif kind == b"eXIf":
            exif = data[position + 8 : position + 8 + length]
        if kind == b"IEND" or kinds[b"fcTL"] > bounds.max_frames:
            break
        _bound(kinds[b"IDAT"] + kinds[b"fdAT"], MAX_DATA_CHUNKS)
        _bound(others, MAX_OTHER_CHUNKS)
        position += length + 12
    # Pillow warns at these and browsers show the still picture: nobody's tool writes them.
    if kinds[b"acTL"] > 1 or announced == 0:
        raise UnreadablePicture("The PNG's animation header is not valid")
    frames = max(announced, kinds[b"fcTL"])
    return Structure(width, height, frames, exif=exif, metadata=frozenset(metadata))


def _kind(chunk: bytes, head: bytes) -> str:
    return "xmp" if chunk == b"iTXt" and head == _XMP else _METADATA[chunk]


def _size(data: Data) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise UnreadablePicture("The PNG does not begin with its header")
    width, height = _SIZE.unpack_from(data, 16)
    return width, height


def _bound(count: int, limit: int) -> None:
    if count > limit:
        raise UnreadablePicture(f"More than {limit} PNG chunks of a kind")
