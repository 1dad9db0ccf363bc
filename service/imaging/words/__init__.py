"""The words for operations: what a client may ask for, and within which bounds.

One module a family, each model one operation, told apart by `op`. The pixels of a family are in
`operations` under the same name.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from service.imaging.words.base import (
    MAX_OUTPUT_PIXELS,
    MAX_SIDE_PX,
    Closed,
    Focus,
    Gravity,
    is_clear,
)
from service.imaging.words.filters import (
    Blur,
    Convolve,
    Denoise,
    Edge,
    Emboss,
    Pixelate,
    Sharpen,
    Vignette,
)
from service.imaging.words.light import (
    AutoContrast,
    Brightness,
    Colorize,
    Contrast,
    Duotone,
    Equalize,
    Gamma,
    Grayscale,
    Hue,
    Invert,
    Posterize,
    Rgb,
    Saturation,
    Sepia,
    Solarize,
)
from service.imaging.words.overlays import Background, Blend, Gradient, Text, Watermark
from service.imaging.words.shape import (
    Border,
    Crop,
    Fit,
    Flip,
    Flop,
    Pad,
    Resize,
    Rotate,
    RoundCorners,
    Shadow,
    Trim,
)

Shape: TypeAlias = (
    Resize | Crop | Trim | Pad | Rotate | Flip | Flop | Border | Shadow | RoundCorners
)
Light: TypeAlias = (
    Brightness
    | Contrast
    | Saturation
    | Gamma
    | Hue
    | Rgb
    | Grayscale
    | Sepia
    | Duotone
    | Colorize
    | Invert
    | AutoContrast
    | Equalize
    | Posterize
    | Solarize
)
Filter: TypeAlias = Blur | Sharpen | Pixelate | Denoise | Edge | Emboss | Convolve | Vignette
Overlay: TypeAlias = Background | Gradient | Watermark | Text

Operation = Annotated[Shape | Light | Filter | Overlay, Field(discriminator="op")]

__all__ = [
    "MAX_OUTPUT_PIXELS",
    "MAX_SIDE_PX",
    "AutoContrast",
    "Background",
    "Blend",
    "Blur",
    "Border",
    "Brightness",
    "Closed",
    "Colorize",
    "Contrast",
    "Convolve",
    "Crop",
    "Denoise",
    "Duotone",
    "Edge",
    "Emboss",
    "Equalize",
    "Filter",
    "Fit",
    "Flip",
    "Flop",
    "Focus",
    "Gamma",
    "Gradient",
    "Gravity",
    "Grayscale",
    "Hue",
    "Invert",
    "Light",
    "Operation",
    "Overlay",
    "Pad",
    "Pixelate",
    "Posterize",
    "Resize",
    "Rgb",
    "Rotate",
    "RoundCorners",
    "Saturation",
    "Sepia",
    "Shadow",
    "Shape",
    "Sharpen",
    "Solarize",
    "Text",
    "Trim",
    "Vignette",
    "Watermark",
    "is_clear",
]
