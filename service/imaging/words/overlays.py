"""Operations that lay something over a picture, or under it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from service.imaging.words.base import Closed, Colour, Gravity, Place, Share


class Blend(StrEnum):
    """How the colours of a mark meet those under it; the web's words (CSS mix-blend-mode)."""

    NORMAL = "normal"
    MULTIPLY = "multiply"
    SCREEN = "screen"
    OVERLAY = "overlay"
    DARKEN = "darken"
    LIGHTEN = "lighten"
    HARD_LIGHT = "hard-light"
    SOFT_LIGHT = "soft-light"
    DIFFERENCE = "difference"


class Background(Closed):
    """Put a colour under what is transparent."""

    op: Literal["background"] = "background"
    color: Colour = Field(default="#ffffff", description="What shows through.")


class Gradient(Closed):
    """Lay a colour over the picture that fades in along one direction."""

    op: Literal["gradient"] = "gradient"
    color: Colour = Field(default="#000000b3", description="Of the far end.")
    angle: float = Field(
        default=180, ge=0, le=360, description="Where it fades in to, in degrees from the top."
    )
    start: Share = Field(default=0.4, description="Where it begins, of the way.")


class _Mark(Closed):
    """Something put on a picture, once or all over it."""

    gravity: Place = Field(default=Gravity.SOUTHEAST, description="Where it is put.")
    margin: int = Field(
        default=16, ge=0, le=1000, description="From the edges, or between tiles, in pixels."
    )
    opacity: Share = Field(default=0.5, description="1 covers what is under it.")
    tile: bool = Field(default=False, description="Whether it is repeated all over.")
    blend: Blend = Field(default=Blend.NORMAL, description="How its colours meet the picture's.")


class Watermark(_Mark):
    """Put one of the operator's own images on the picture."""

    op: Literal["watermark"] = "watermark"
    image: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="Its name: that of a PNG in the operator's folder, less `.png`.",
        examples=["logo"],
    )
    scale: float | None = Field(
        default=0.25, ge=0.01, le=1, description="Its width, of the picture's; null: its own size."
    )


class Text(_Mark):
    """Write a line on the picture."""

    op: Literal["text"] = "text"
    text: str = Field(
        min_length=1,
        max_length=200,
        pattern=r"^[\x20-\x7e]+$",
        description="What is written: ASCII, for the font that comes with Pillow has no more.",
    )
    size: int = Field(
        default=32,
        ge=6,
        le=500,
        description="Of the letters, in pixels; less where too wide.",
    )
    color: Colour = Field(default="#ffffff", description="Of the letters.")
    angle: float = Field(default=0, ge=-360, le=360, description="In degrees, clockwise.")
