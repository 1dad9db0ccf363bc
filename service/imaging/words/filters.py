"""Operations that look at a pixel's neighbours."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from service.imaging.words.base import Closed, Opaque, Strength

Weight = Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)]


class Blur(Closed):
    """Blur with a Gaussian."""

    op: Literal["blur"] = "blur"
    radius: float = Field(ge=0.1, le=100, description="Standard deviation, in pixels.")


class Sharpen(Closed):
    """Sharpen with an unsharp mask."""

    op: Literal["sharpen"] = "sharpen"
    amount: int = Field(default=100, ge=1, le=500, description="Strength, in percent.")
    radius: float = Field(default=1.0, ge=0.1, le=100, description="Radius of the mask, in pixels.")
    threshold: int = Field(
        default=2, ge=0, le=255, description="Smallest difference sharpened, in levels of 255."
    )


class Pixelate(Closed):
    """Make squares of one colour each."""

    op: Literal["pixelate"] = "pixelate"
    size: int = Field(ge=2, le=1024, description="Side of a square, in pixels.")


class Denoise(Closed):
    """Take away specks: each level becomes the median of its square of 3 × 3."""

    op: Literal["denoise"] = "denoise"
    passes: int = Field(default=1, ge=1, le=4, description="How many times over.")


class Edge(Closed):
    """Show the edges, light on black."""

    op: Literal["edge"] = "edge"


class Emboss(Closed):
    """Show the edges as if pressed into gray."""

    op: Literal["emboss"] = "emboss"


class Convolve(Closed):
    """Replace each pixel by a weighted sum of its square of 3 × 3 or 5 × 5."""

    op: Literal["convolve"] = "convolve"
    kernel: tuple[Weight, ...] = Field(
        min_length=9, max_length=25, description="9 or 25 weights, line by line from the top."
    )
    divisor: float | None = Field(
        default=None, ge=0.001, le=100_000, description="Of the sum; null: the sum of the weights."
    )
    offset: float = Field(default=0, ge=-255, le=255, description="Added to the sum.")

    @model_validator(mode="after")
    def _is_a_square(self) -> Self:
        if len(self.kernel) not in {9, 25}:
            raise ValueError("a kernel has 9 or 25 weights")
        return self


class Vignette(Closed):
    """Darken towards the corners."""

    op: Literal["vignette"] = "vignette"
    strength: Strength = 0.5
    color: Opaque = Field(default="#000000", description="Of the corners.")
