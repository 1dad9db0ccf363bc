"""GIF blocks, walked without decoding or composing a frame.

Source: GIF89a specification (CompuServe, 1990), sections 15-27.
"""

from __future__ import annotations

import struct

from service.errors import UnreadablePicture
from service.imaging.structure.base import Bounds, Data, Structure

#: Sub-blocks of at most 255 bytes; 50 MB of honest GIF are 200,000.
MAX_SUB_BLOCKS = 250_000
#: Comments and other extensions; Pillow handles each in Python.
MAX_EXTENSIONS = 10_000

_SCREEN = struct.Struct("<HHB")
_FRAME = struct.Struct("<HHHHB")
_EXTENSION, _IMAGE = 0x21, 0x2C
_COMMENT, _APPLICATION, _XMP = 0xFE, 0xFF, b"\x0bXMP DataXMP"


def walk(data: Data, bounds: Bounds) -> Structure:
    """Size (the screen, grown by a larger first frame, as decoders do) and frames.

    From a frame on that reaches out of that, they do not count: decoders would grow for it, to
    gigabytes. A file cut short ends the walk; that is for the decoder to find.

    Raises:
        UnreadablePicture: too many sub-blocks or extensions.
    """
    width, height, flags = _SCREEN.unpack_from(data, 6)
    position = 13 + _colour_table_bytes(flags)
    frames, inside, extensions, blocks, metadata = 0, 0, 0, MAX_SUB_BLOCKS, set[str]()
    while position < len(data) and frames <= bounds.max_frames:
        kind = data[position]
        if kind == _EXTENSION and extensions < MAX_EXTENSIONS:
            extensions += 1
            metadata |= _kinds(data[position + 1 : position + 14])
            position += 2
        elif kind == _IMAGE and position + 10 <= len(data):
            left, top, across, down, flags = _FRAME.unpack_from(data, position + 1)
            if frames == 0:
                width, height = max(width, left + across), max(height, top + down)
            fits = left + across <= width and top + down <= height
            inside += fits and inside == frames
            frames += 1
            position += 11 + _colour_table_bytes(flags)
        elif kind == _EXTENSION:
            raise UnreadablePicture(f"More than {MAX_EXTENSIONS} GIF extensions")
        elif kind == 0:  # Pillow and browsers skip stray zero bytes between blocks
            position, blocks = position + 1, blocks - 1
            if blocks < 0:
                raise UnreadablePicture(f"More than {MAX_SUB_BLOCKS} GIF sub-blocks")
            continue
        else:
            break
        position, blocks = _skip_sub_blocks(data, position, blocks)
    counted = inside if frames <= bounds.max_frames else frames
    return Structure(width, height, max(1, counted), metadata=frozenset(metadata))


def _kinds(head: bytes) -> set[str]:
    """What kind of metadata an extension holds, if any."""
    if head[:1] == bytes([_COMMENT]):
        return {"comment"}
    return {"xmp"} if head == bytes([_APPLICATION]) + _XMP else set()


def _colour_table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip_sub_blocks(data: Data, position: int, blocks: int) -> tuple[int, int]:
    """The position after the terminator, and what is left of the allowance of sub-blocks."""
    end = len(data)
    while position < end and (length := data[position]):
        position += length + 1
        blocks -= 1
        if blocks < 0:
            raise UnreadablePicture(f"More than {MAX_SUB_BLOCKS} GIF sub-blocks")
    return position + 1, blocks
