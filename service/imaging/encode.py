"""A finished picture → the bytes of a file, with nothing in it but pixels.

Choices, measured as means over ten photographs of 1600 px, one thread, `quality=82`:
PNG level 4, 198 ms for 2,303 kB (level 6: 438 ms for 1 % less; level 1: 113 ms for 9 % more);
WebP method 4, 123 ms for 167 kB at an SSIM of .970 (method 2: 53 ms for 172 kB at .967);
AVIF speed 9, 93 ms for 266 kB at .982 (speed 8: 286 ms for 259 kB, no more alike).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import BinaryIO, cast

from PIL import Image

from service.imaging.presets import Format

CONTENT_TYPES: Mapping[Format, str] = MappingProxyType(
    {"jpeg": "image/jpeg", "webp": "image/webp", "png": "image/png", "avif": "image/avif"}
)

#: The largest side each format can hold, in pixels.
MAX_SIDE_PX: Mapping[Format, int] = MappingProxyType(
    {"jpeg": 65_535, "webp": 16_383, "png": 2**31 - 1, "avif": 65_536}
)


def encode(image: Image.Image, picture_format: Format, quality: int) -> bytes:
    """RGB or RGBA in sRGB → a file without comment, EXIF, XMP or profile; input untouched.

    JPEG is baseline 4:2:0, on white where the picture is transparent; PNG ignores `quality`.
    """
    plain = _without_metadata(image)
    with _file() as file:
        _ENCODERS[picture_format](plain, file, quality)
        file.flush()
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)


def _file() -> BinaryIO:
    """A file with a descriptor: Pillow encodes JPEG into one in a single call without the GIL."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("variant"), "w+b")
    return cast(BinaryIO, tempfile.TemporaryFile())


def _without_metadata(image: Image.Image) -> Image.Image:
    if not image.info:
        return image
    plain = image.copy()
    plain.info = {}
    return plain


def flattened(image: Image.Image) -> Image.Image:
    """RGB or RGBA → RGB, on white."""
    if image.mode == "RGB":
        return image
    on_white = Image.new("RGB", image.size, "white")
    on_white.paste(image, mask=image.getchannel("A"))
    return on_white


def _jpeg(image: Image.Image, file: BinaryIO, quality: int) -> None:
    flattened(image).save(file, "JPEG", quality=quality, subsampling="4:2:0")


def _webp(image: Image.Image, file: BinaryIO, quality: int) -> None:
    image.save(file, "WEBP", quality=quality, method=4)


def _png(image: Image.Image, file: BinaryIO, _quality: int) -> None:
    image.save(file, "PNG", compress_level=4)


def _avif(image: Image.Image, file: BinaryIO, quality: int) -> None:
    # One thread: the pool already keeps every core busy.
    image.save(file, "AVIF", quality=quality, speed=9, max_threads=1)


_ENCODERS: Mapping[Format, Callable[[Image.Image, BinaryIO, int], None]] = MappingProxyType(
    {"jpeg": _jpeg, "webp": _webp, "png": _png, "avif": _avif}
)
