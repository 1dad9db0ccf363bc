"""Pictures as HEIC, by the encoder of the extra `heic`; without it, no test of them."""

from __future__ import annotations

import importlib.util
import io
import os
from typing import Any

import pytest
from PIL import Image

from tests.pictures import photo, srgb_profile

if importlib.util.find_spec("pillow_heif") is None:
    if "CI" in os.environ:
        pytest.fail("pillow-heif is not installed")
    pytest.skip("pillow-heif is not installed", allow_module_level=True)

import pillow_heif

pillow_heif.register_heif_opener()  # for its encoder; the service goes another way

#: What must not be served.
PLACE = b"47.1190N 8.5412E"


def heic(*pictures: Image.Image, **options: Any) -> bytes:
    """A file of these pictures; `options` go to the encoder."""
    file, (first, *others) = io.BytesIO(), pictures
    if others:
        options |= {"save_all": True, "append_images": others}
    first.save(file, "HEIF", quality=90, **options)
    return file.getvalue()


def with_place(orientation: int = 1, mode: str = "RGB") -> bytes:
    """One that says where it was taken, in EXIF and XMP."""
    block = Image.Exif()
    block[0x0112] = orientation
    block.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + PLACE
    block.get_ifd(0x8825)[1] = "N"
    picture = photo(mode=mode)
    picture.info |= {"exif": block.tobytes(), "xmp": b"<x:xmpmeta>" + PLACE + b"</x:xmpmeta>"}
    picture.info["icc_profile"] = srgb_profile()
    return heic(picture)
