"""How much memory an operation or an encoder takes beside the picture it is given.

Foretold from sizes and modes alone. Measured as the growth of a fresh process, over noise;
`tests/unit/imaging/test_footprint.py` holds every operation and every encoder against that.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from service.imaging import words
from service.imaging.foretell import Canvas, after
from service.imaging.operations.alpha import STRIP_PIXELS
from service.imaging.presets import Format, Recipe

#: Bytes a pixel: Pillow keeps RGB as it keeps RGBA.
PIXEL_BYTES = 4
#: Copies of the larger of the picture and what is made of it, of RGB and of RGBA, the result
#: included. Most that change each pixel by itself take one and a mask, and one more to put the
#: alpha aside.
_USUAL = (2.4, 3.4)
_COPIES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "flip": (1.1, 1.1),
        "flop": (1.1, 1.1),
        "background": (1.1, 1.1),
        "resize": (2.9, 2.9),
        "rotate": (2.7, 2.7),
        "trim": (3.1, 4.1),
        "equalize": (3.1, 4.5),
        "edge": (3.1, 4.4),
        "emboss": (3.1, 4.4),
        "convolve": (3.1, 4.4),
        "watermark": (4.2, 4.2),
        "text": (4.2, 4.2),
        "round_corners": (4.4, 4.4),
        "shadow": (5.7, 5.7),
    }
)
#: The median works in strips, and holds so many at once.
_MEDIAN_STRIPS = 20


#: Bytes a pixel that encoders take, the file's own included, in RGB and RGBA.
_ENCODING: Mapping[Format, tuple[int, int]] = MappingProxyType(
    {"jpeg": (2, 6), "png": (4, 5), "webp": (27, 42), "avif": (30, 36), "gif": (9, 13)}
)
#: A progressive JPEG's coefficients are all held until its last scan: two bytes a sample.
_COEFFICIENTS: Mapping[str, int] = MappingProxyType({"4:2:0": 3, "4:2:2": 4, "4:4:4": 6})
#: What it takes to write without loss, with all colours, or with few.
_WEBP_LOSSLESS, _AVIF_COLOURS, _PNG_PALETTE = 45, 52, 9
#: The picture that a likeness is measured by, and what measuring takes where encoding takes less.
_LIKENESS, _MEASURING = (6, 9), 24


def operating_bytes(before: Canvas, operation: words.Operation) -> int:
    """The most that `operations.apply` takes beside the picture it is given, in bytes."""
    canvas = after(before, operation)
    most = max(_pixels(before), _pixels(canvas))
    copies = _COPIES.get(operation.op, _USUAL)[before.alpha]
    held = most * PIXEL_BYTES * copies
    if isinstance(operation, words.Denoise):
        held += most * PIXEL_BYTES * (operation.passes > 1)
        held += min(most, STRIP_PIXELS) * PIXEL_BYTES * _MEDIAN_STRIPS
    return round(held)


def encoding_bytes(canvas: Canvas, picture_format: Format, recipe: Recipe) -> int:
    """The most that `quality.encoded` takes beside the picture it is given, in bytes."""
    each = max(_ENCODING[picture_format][canvas.alpha], _chosen(picture_format, recipe))
    if picture_format == "jpeg" and recipe.progressive:
        each += _COEFFICIENTS[recipe.chroma]
    if recipe.similarity is not None:
        each = max(each + _LIKENESS[canvas.alpha], _MEASURING)
    elif recipe.max_bytes is not None:  # two files at once
        each += PIXEL_BYTES
    return _pixels(canvas) * each


def _chosen(picture_format: Format, recipe: Recipe) -> int:
    """Bytes a pixel of the ways to write a format that take more than the usual one."""
    if picture_format == "webp" and recipe.lossless:
        return _WEBP_LOSSLESS
    if picture_format == "avif" and recipe.chroma != "4:2:0":
        return _AVIF_COLOURS
    return _PNG_PALETTE if picture_format == "png" and recipe.colors else 0


def _pixels(canvas: Canvas) -> int:
    return canvas.size[0] * canvas.size[1]
