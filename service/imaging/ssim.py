"""How alike two pictures are in luma, by Pillow's own operations.

Source: Wang et al., "Image quality assessment: from error visibility to structural similarity",
2004. Windows of 8 × 8 pixels that do not overlap: nearly the same mean, at a fraction of the cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image
from PIL.ImageMath import lambda_eval

_WINDOW = 8
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


@dataclass(frozen=True)
class Plane:
    """The luma of a picture as 32-bit numbers, and what its windows are like."""

    luma: Image.Image
    mean: Image.Image
    #: The mean of the squares.
    square: Image.Image


def plane(image: Image.Image) -> Plane:
    """RGB, or L, of any size."""
    luma = image.convert("L").convert("F")
    return Plane(luma, luma.reduce(_WINDOW), _product(luma, luma).reduce(_WINDOW))


def similarity(one: Plane, other: Plane) -> float:
    """1 for equal pictures, less for others; both have one size."""
    both = _product(one.luma, other.luma).reduce(_WINDOW)
    found = lambda_eval(
        _structural, x=one.mean, y=other.mean, xx=one.square, yy=other.square, xy=both
    )
    level = found.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    return float(level)


def _product(one: Image.Image, other: Image.Image) -> Image.Image:
    product: Image.Image = lambda_eval(lambda of: of["one"] * of["other"], one=one, other=other)
    return product


def _structural(of: dict[str, Any]) -> Any:
    x, y = of["x"], of["y"]
    xy = x * y
    squares = x * x + y * y
    above = (xy * 2 + _C1) * ((of["xy"] - xy) * 2 + _C2)
    return above / ((squares + _C1) * (of["xx"] + of["yy"] - squares + _C2))
