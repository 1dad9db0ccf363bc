"""What a file says about itself, read from its bytes in bounded time before any decoder sees it.

One walker a format, each a function `(data, bounds) -> Structure`. A walker reads sizes and
lengths only, stops at its bounds, and raises `UnreadablePicture` for structure no honest
encoder writes (megabytes of padding, hundreds of thousands of empty chunks). It never decides
whether a picture is too large: `probe` compares the counts with the limits.
BMP and AVIF have no walker; their decoders read a small header without walking the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from service.imaging.structure import gif, heic, jpeg, png, tiff, webp
from service.imaging.structure.base import Bounds, Data, Structure

WALKERS: Mapping[str, Callable[[Data, Bounds], Structure]] = MappingProxyType(
    {
        "jpeg": jpeg.walk,
        "png": png.walk,
        "gif": gif.walk,
        "webp": webp.walk,
        "tiff": tiff.walk,
        "heic": heic.walk,
    }
)


def walk(data: Data, picture_format: str, bounds: Bounds) -> Structure:
    """Read the structure of a file of a known format; an empty `Structure` where none is read."""
    walker = WALKERS.get(picture_format)
    return walker(data, bounds) if walker else Structure()


__all__ = ["Bounds", "Data", "Structure", "walk"]
