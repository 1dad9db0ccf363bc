"""The only door to Pillow's decoders: one class a format, chosen by the file's first bytes.

Naming the classes shuts out Pillow's other forty decoders more firmly than `formats=` does, and
opens phone photographs (MPO) as the JPEG they begin with.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import IO, Any

from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

# Pillow's own check warns between 89 and 179 megapixels and cannot be told a limit per call.
# Ours reads the header first and is stricter; only this package uses Pillow.
Image.MAX_IMAGE_PIXELS = None


class _QuietJpeg(JpegImageFile):
    """Pillow's JPEG, less its search for a resolution in EXIF, which warns about corrupt tags."""

    def _read_dpi_from_exif(self) -> None:
        """Nothing here prints: the resolution has no use."""


class _ReadTiff(TiffImageFile):
    """Pillow's TIFF, read and not mapped: a mapped picture it lays out by the sides it is to have
    once it is turned upright, before it turns it."""

    def load(self) -> Any:
        self.filename = ""  # nothing that could be mapped
        return super().load()


_DECODERS: Mapping[str, type[ImageFile]] = MappingProxyType(
    {
        "jpeg": _QuietJpeg,
        "png": PngImageFile,
        "webp": WebPImageFile,
        "gif": GifImageFile,
        "avif": AvifImageFile,
        "tiff": _ReadTiff,
        "bmp": BmpImageFile,
    }
)

#: Formats whose decoders parse every tag and warn about corrupt ones.
_NOISY = frozenset({"tiff", "avif"})
_WARNINGS = Lock()


@contextmanager
def opened(source: Path | IO[bytes], picture_format: str) -> Iterator[ImageFile]:
    """The picture with its header read and no pixel decoded; closed on the way out.

    Raises whatever Pillow raises: the caller knows whether that is unreadable or broken.
    """
    decoder = _DECODERS[picture_format]
    with quietly(picture_format):
        image = decoder(source)
    try:
        yield image
    finally:
        image.close()


@contextmanager
def quietly(picture_format: str) -> Iterator[None]:
    """Keep the warnings of a noisy format's decoder from the process.

    Until Python 3.14 the filters belong to the process, so two threads may not change them at
    once: these rare formats take turns.
    """
    if picture_format not in _NOISY:
        yield
        return
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
