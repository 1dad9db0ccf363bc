"""The only door to Pillow's decoders: one class a format, chosen by the file's first bytes.

Naming the classes shuts out Pillow's other forty decoders more firmly than `formats=` does, and
opens phone photographs (MPO) as the JPEG they begin with. HEIC's decoder is not Pillow's: it comes
with the extra `pixmill[heic]` and is loaded when the first such picture is opened.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
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


_DECODERS: Mapping[str, type[ImageFile]] = MappingProxyType(
    {
        "jpeg": _QuietJpeg,
        "png": PngImageFile,
        "webp": WebPImageFile,
        "gif": GifImageFile,
        "avif": AvifImageFile,
        "tiff": TiffImageFile,
        "bmp": BmpImageFile,
    }
)


@cache
def _heic() -> type[ImageFile]:
    """libheif's decoder, which turns the picture upright itself (irot, imir)."""
    import pillow_heif
    from pillow_heif.as_plugin import HeifImageFile

    # These are the library's own and for the whole process; only this module uses it.
    pillow_heif.options.DECODE_THREADS = 1  # the pool already keeps every core busy
    pillow_heif.options.THUMBNAILS = False  # they need not show the picture
    pillow_heif.options.DEPTH_IMAGES = pillow_heif.options.AUX_IMAGES = False

    class Heic(HeifImageFile):
        """libheif's, held to the size of its header."""

        def load(self) -> Any:
            told = self.size
            loaded = super().load()  # type: ignore[no-untyped-call]
            if self.size != told:
                raise ValueError("The picture has another size than its header says")
            return loaded

    return Heic


def has_decoder(picture_format: str) -> bool:
    """Whether pictures of this format can be opened by what is installed."""
    if picture_format == "heic":
        return importlib.util.find_spec("pillow_heif") is not None
    return picture_format in _DECODERS


#: Formats whose decoders parse every tag and warn about corrupt ones.
_NOISY = frozenset({"tiff", "avif"})
_WARNINGS = Lock()


@contextmanager
def opened(source: Path | IO[bytes], picture_format: str) -> Iterator[ImageFile]:
    """The picture with its header read and no pixel decoded; closed on the way out.

    Raises whatever Pillow raises: the caller knows whether that is unreadable or broken.
    """
    decoder = _heic() if picture_format == "heic" else _DECODERS[picture_format]
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
