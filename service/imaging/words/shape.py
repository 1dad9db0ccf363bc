"""Operations that change a picture's size or turn it; `geometry` holds their arithmetic."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from service.imaging.words.base import (
    Closed,
    Colour,
    Focus,
    Gravity,
    Offset,
    Padding,
    Share,
    Side,
)


class Fit(StrEnum):
    """How a picture meets a box; the web's words (CSS object-fit, and sharp's two more)."""

    COVER = "cover"  # fill the box, cut off the rest
    CONTAIN = "contain"  # lie inside the box, pad the rest
    INSIDE = "inside"  # as large as fits inside the box
    OUTSIDE = "outside"  # as small as covers the box, nothing cut off
    FILL = "fill"  # stretch to the box


class Resize(Closed):
    """Scale to a box. With one side given, the other follows in proportion, whatever `fit` says.

    Nothing is enlarged unless `enlarge` is set: `inside`, `outside` and `fill` then stop at the
    picture's own size, `cover` shrinks its box in proportion, `contain` pads more.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"op": "resize", "width": 600, "height": 400, "fit": "cover"}]
        },
    )

    op: Literal["resize"] = "resize"
    width: Side | None = Field(default=None, description="Width of the box, in pixels.")
    height: Side | None = Field(default=None, description="Height of the box, in pixels.")
    scale: float | None = Field(
        default=None, ge=0.001, le=16, description="In place of a box: a factor for both sides."
    )
    dpr: float = Field(
        default=1, ge=0.1, le=8, description="Device pixel ratio: the box is this much larger."
    )
    fit: Fit = Field(default=Fit.INSIDE, description="How the picture meets the box.")
    gravity: Gravity = Field(
        default=Gravity.CENTER, description="What `cover` keeps, and where `contain` puts it."
    )
    focus: Focus | None = Field(
        default=None, description="The point `cover` keeps nearest the middle, not `gravity`'s."
    )
    enlarge: bool = Field(default=False, description="Whether a smaller picture is scaled up.")
    background: Padding = "#ffffff"

    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        sides = self.width is not None or self.height is not None
        if sides == (self.scale is not None):
            raise ValueError("resize needs a width, a height or both, or a scale")
        return self


class Crop(Closed):
    """Cut a part out: a box in pixels, or the largest part with an aspect.

    A box that is larger than the picture is cut to it; one that reaches over an edge is moved in.
    """

    op: Literal["crop"] = "crop"
    width: Side | None = Field(default=None, description="Of the part, in pixels; null: all.")
    height: Side | None = Field(default=None, description="Of the part, in pixels; null: all.")
    x: Offset | None = Field(default=None, description="Its left edge, in pixels, not `gravity`'s.")
    y: Offset | None = Field(default=None, description="Its top edge, in pixels, not `gravity`'s.")
    aspect: float | None = Field(
        default=None, ge=0.01, le=100, description="Width / height, in place of width and height."
    )
    gravity: Gravity = Field(default=Gravity.CENTER, description="Which part of the picture.")
    focus: Focus | None = Field(
        default=None, description="The point kept nearest the middle, not `gravity`'s."
    )

    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        sides = self.width is not None or self.height is not None
        if sides == (self.aspect is not None):
            raise ValueError("crop needs a width, a height or both, or an aspect")
        return self


class Trim(Closed):
    """Cut off edges of one colour, or transparent ones."""

    op: Literal["trim"] = "trim"
    threshold: int = Field(
        default=10, ge=0, le=254, description="Difference that still counts as edge, of 255."
    )
    color: Colour | None = Field(
        default=None, description="Colour of the edge; null: that of the top left pixel."
    )


class Pad(Closed):
    """Add room at the edges."""

    op: Literal["pad"] = "pad"
    top: Offset = Field(default=0, description="In pixels.")
    right: Offset = Field(default=0, description="In pixels.")
    bottom: Offset = Field(default=0, description="In pixels.")
    left: Offset = Field(default=0, description="In pixels.")
    background: Padding = "#ffffff"


class Rotate(Closed):
    """Turn clockwise; the picture grows to hold its corners."""

    op: Literal["rotate"] = "rotate"
    angle: float = Field(ge=-360, le=360, description="In degrees, clockwise.")
    background: Colour = Field(default="#ffffff", description="Of the corners.")


class Flip(Closed):
    """Exchange top and bottom."""

    op: Literal["flip"] = "flip"


class Flop(Closed):
    """Exchange left and right."""

    op: Literal["flop"] = "flop"


class Border(Closed):
    """Draw a frame around the picture, which grows by it."""

    op: Literal["border"] = "border"
    width: int = Field(ge=1, le=1000, description="Of the frame, in pixels.")
    color: Colour = Field(default="#000000", description="Of the frame.")


class Shadow(Closed):
    """Cast a soft shadow; the picture grows to hold it."""

    op: Literal["shadow"] = "shadow"
    x: int = Field(default=0, ge=-500, le=500, description="To the right, in pixels.")
    y: int = Field(default=8, ge=-500, le=500, description="Downwards, in pixels.")
    blur: float = Field(default=12, ge=0, le=100, description="Standard deviation, in pixels.")
    color: Colour = Field(default="#00000066", description="Of the shadow, where it is darkest.")
    background: Colour = Field(default="#00000000", description="Behind the shadow.")


class RoundCorners(Closed):
    """Round the corners off."""

    op: Literal["round_corners"] = "round_corners"
    radius: int | None = Field(
        default=None, ge=1, le=8192, description="In pixels; at most half the shorter side."
    )
    share: Share | None = Field(
        default=None, description="In place of `radius`: of half the shorter side; 1 is a circle."
    )
    background: Colour = Field(default="#00000000", description="Of what is cut off.")

    @model_validator(mode="after")
    def _has_one_radius(self) -> Self:
        if (self.radius is None) == (self.share is None):
            raise ValueError("round_corners needs a radius or a share")
        return self
