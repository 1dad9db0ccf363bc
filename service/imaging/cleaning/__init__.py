"""A stored file without its metadata, as changes of single bytes: as long as before, pixels as are.

One cleaner a format, each a function `data -> changes` along the same path as its walker in
`structure`. It keeps what it knows to belong to the pixels, colour profiles among it, and makes
the rest zeros; EXIF becomes a block that holds the orientation alone. Nothing is decoded; the
file is read once, through a mapping.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from service.errors import UnreadablePicture, Unshowable
from service.imaging.cleaning import boxes, gif, jpeg, png, tiff, webp
from service.imaging.cleaning.base import Patch, patched
from service.imaging.structure import Data

__all__ = ["Patch", "patched", "patches"]

#: Changes of one file; those of an honest one are a few dozen.
MAX_PATCHES = 10_000

_CLEANERS: Mapping[str, Callable[[Data], Iterator[Patch]]] = MappingProxyType(
    {
        "jpeg": jpeg.clean,
        "png": png.clean,
        "webp": webp.clean,
        "gif": gif.clean,
        "tiff": tiff.clean,
        "avif": boxes.clean,
        "heic": boxes.clean,
        "bmp": lambda _data: iter(()),  # it has no room for metadata
    }
)


def patches(source: Path, picture_format: str) -> tuple[Patch, ...]:
    """What to change so that the file holds nothing but pixels, profile and orientation.

    Nothing of a file that is so already.

    Raises:
        Unshowable: its metadata cannot be told from the rest.
        OSError: the file cannot be read.
    """
    with (
        source.open("rb", buffering=0) as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        try:
            found = tuple(islice(_CLEANERS[picture_format](data), MAX_PATCHES + 1))
        except (struct.error, IndexError, UnreadablePicture) as error:
            raise Unshowable("The metadata of the original cannot be taken out.") from error
        if len(found) > MAX_PATCHES:
            raise Unshowable("The metadata of the original is in too many pieces.")
        return tuple(change for change in found if change.differs(data))
