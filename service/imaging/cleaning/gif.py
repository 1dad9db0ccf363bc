"""GIF: comments, texts and what applications wrote, but how often it is shown and its profile.

Source: GIF89a specification (CompuServe, 1990), sections 15-27.
"""

from __future__ import annotations

from collections.abc import Iterator

from service.imaging.cleaning.base import Patch
from service.imaging.structure import Data

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, b";"
_CONTROL = b"\xf9"
_KEPT = (_CONTROL, b"\xff\x0bNETSCAPE2.0", b"\xff\x0bANIMEXTS1.0", b"\xff\x0bICCRGBG1012")


def clean(data: Data) -> Iterator[Patch]:
    """Up to where the frames that were counted end: at the trailer, or what is no block."""
    position = 13 + _table_bytes(data[10])
    while position < len(data) and data[position] in {_EXTENSION, _IMAGE, 0}:
        kind, start = data[position], position
        if kind == _EXTENSION:
            position = _end(data, start + 2)
            if not bytes(data[start + 1 : start + 14]).startswith(_KEPT):
                yield Patch(start + 2, _empty(position - start - 3))
        elif kind == _IMAGE:
            position = _end(data, start + 11 + _table_bytes(data[start + 9]))
        else:
            position = start + 1
    if data[position : position + 1] == _TRAILER:
        position += 1
    yield Patch(position, zeros=max(0, len(data) - position))


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _end(data: Data, position: int) -> int:
    """Behind the sub-blocks that begin here, and the zero that ends them."""
    while position < len(data) and (length := data[position]):
        position += length + 1
    return min(position, len(data)) + 1


def _empty(length: int) -> bytes:
    """Sub-blocks of zeros that take up so many bytes.

    Of XMP, the text itself is read as their lengths, so those cannot stay as they are.
    """
    if length < 2:
        return bytes(length)
    # One of 255 takes 256 bytes, and two bytes at least must be left for the last one.
    whole = (length - 2) // 256
    rest = length - 256 * whole
    sizes = [255] * whole + ([rest - 1] if rest <= 256 else [253, rest - 255])
    return b"".join(bytes([size]) + bytes(size) for size in sizes)
