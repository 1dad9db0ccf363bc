"""TIFF directories: how many pages there are, without reading their tags.

Source: TIFF 6.0 (Adobe, 1992), section 2; BigTIFF as libtiff documents it.
"""

from __future__ import annotations

import struct

from service.errors import UnreadablePicture
from service.imaging.structure.base import Bounds, Data, Structure

#: Entries of one directory; baseline and camera files have fewer than 100.
MAX_ENTRIES = 1_000


def walk(data: Data, bounds: Bounds) -> Structure:
    """Frames, counted along the chain of directories to one past the bound; a loop never ends.

    Raises:
        UnreadablePicture: a directory outside the file or with too many entries.
    """
    order = "<" if data[:1] == b"I" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    count, entry, pointer = ("Q", 20, "Q") if big else ("H", 12, "I")
    (position,) = struct.unpack_from(order + pointer, data, 8 if big else 4)
    frames = 0
    while position and frames <= bounds.max_frames:
        (entries,) = struct.unpack_from(order + count, data, position)
        if entries > MAX_ENTRIES:
            raise UnreadablePicture(f"More than {MAX_ENTRIES} tags in a TIFF directory")
        frames += 1
        position += struct.calcsize(order + count) + entries * entry
        (position,) = struct.unpack_from(order + pointer, data, position)
    return Structure(frames=max(1, frames))
