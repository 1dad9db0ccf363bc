"""The pixels of every operation: an image in, a new image out.

RGB or RGBA in sRGB goes in and comes out. Transparency is scaled and turned with the picture,
and otherwise changed only by operations that say so. The filters are chosen for running without
the interpreter's lock (lookup tables, matrices, compiled kernels), so that threads scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from PIL import Image

from service.imaging import words
from service.imaging.operations import filters, light, overlays, shape

#: Every operation a recipe can name but `watermark`, which needs an image of the operator's.
OPERATIONS: Mapping[str, Callable[[Image.Image, Any], Image.Image]] = MappingProxyType(
    {
        "resize": shape.resize,
        "crop": shape.crop,
        "trim": shape.trim,
        "pad": shape.pad,
        "rotate": shape.rotate,
        "flip": shape.flip,
        "flop": shape.flop,
        "border": shape.border,
        "shadow": shape.shadow,
        "round_corners": shape.round_corners,
        "brightness": light.brightness,
        "contrast": light.contrast,
        "saturation": light.saturation,
        "gamma": light.gamma,
        "hue": light.hue,
        "rgb": light.rgb,
        "grayscale": light.grayscale,
        "sepia": light.sepia,
        "duotone": light.duotone,
        "colorize": light.colorize,
        "invert": light.invert,
        "auto_contrast": light.auto_contrast,
        "equalize": light.equalize,
        "posterize": light.posterize,
        "solarize": light.solarize,
        "blur": filters.blur,
        "sharpen": filters.sharpen,
        "pixelate": filters.pixelate,
        "denoise": filters.denoise,
        "edge": filters.edge,
        "emboss": filters.emboss,
        "convolve": filters.convolve,
        "vignette": filters.vignette,
        "background": overlays.background,
        "gradient": overlays.gradient,
        "text": overlays.text,
    }
)

#: The operator's images by name, RGBA in sRGB.
Marks = Mapping[str, Image.Image]


def apply(
    image: Image.Image, operation: words.Operation, marks: Marks = MappingProxyType({})
) -> Image.Image:
    """Carry one operation out; `marks` holds whatever image a `watermark` names."""
    if isinstance(operation, words.Watermark):
        return overlays.watermark(image, operation, marks[operation.image])
    return OPERATIONS[operation.op](image, operation)
