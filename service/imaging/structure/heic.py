"""HEIC: the largest picture in its index, and how many there are.

Source: ISO/IEC 23008-12, sections 6.5.3 (ispe) and 6.6.2 (grids); as `boxes`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from service.errors import UnreadablePicture
from service.imaging.structure.base import Bounds, Data, Structure
from service.imaging.structure.boxes import Box, boxes, index, items

#: Kinds of items that are coded pictures, or put together of others.
_PICTURES = frozenset({b"hvc1", b"hev1", b"grid", b"iovl", b"iden", b"av01", b"jpeg", b"unci"})
#: Those that hold others are no more than this many.
MAX_PICTURES = 1_000


def walk(data: Data, _bounds: Bounds) -> Structure:
    """The size of the largest picture, as stored; its decoder says which ones are shown.

    Raises:
        UnreadablePicture: no index, no size, or too many pictures, the tiles of one among them.
    """
    found = index(data)
    kinds = [item.kind for item in items(data, found).values()]
    if sum(kind in _PICTURES for kind in kinds) > MAX_PICTURES:
        raise UnreadablePicture(f"More than {MAX_PICTURES} pictures and tiles")
    sizes = list(_sizes(data, found[b"iprp"])) if b"iprp" in found else []
    if not sizes:
        raise UnreadablePicture("The HEIC does not say how large its pictures are")
    return Structure(*max(sizes, key=lambda size: size[0] * size[1]))


def _sizes(data: Data, properties: Box) -> Iterator[tuple[int, int]]:
    """Width and height of all pictures, as far as they differ."""
    for box in boxes(data, properties.start, properties.end):
        if box.kind == b"ipco":
            for one in boxes(data, box.start, box.end):
                if one.kind == b"ispe":
                    width, height = struct.unpack_from(">II", data, one.start + 4)
                    yield width, height
