"""The words a client uses for a pipeline, and the presets that need none.

Everything here is data: frozen, closed (unknown fields are refused), bounded, and shown with
its examples in the OpenAPI document. `operations` holds the pixels for each `op`, `geometry`
the sizes for `resize`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_SIDE_PX = 16_384
#: The largest output of any step, enlargements included.
MAX_OUTPUT_PIXELS = 50_000_000
MAX_OPERATIONS = 16
MAX_VARIANTS = 20

Side = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]
Factor = Annotated[
    float, Field(ge=0, le=4, allow_inf_nan=False, description="1 leaves the picture as it is.")
]
Colour = Annotated[
    str,
    Field(
        pattern=r"^#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$",
        description="Colour of the padding of `contain`: #rrggbb, or #rrggbbaa with opacity.",
        examples=["#ffffff", "#00000000"],
    ),
]


class Fit(StrEnum):
    """How a picture meets a box; the web's words (CSS object-fit, and sharp's two more)."""

    COVER = "cover"  # fill the box, cut off the rest, centred
    CONTAIN = "contain"  # lie inside the box, pad the rest
    INSIDE = "inside"  # as large as fits inside the box
    OUTSIDE = "outside"  # as small as covers the box, nothing cut off
    FILL = "fill"  # stretch to the box


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Resize(_Closed):
    """Scale to a box. With one side given, the other follows in proportion, whatever `fit` says.

    Nothing is enlarged unless `enlarge` is set: `inside`, `outside` and `fill` then stop at the
    picture's own size, `cover` shrinks its box in proportion, `contain` pads more.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [{"op": "resize", "width": 600, "height": 400, "fit": "cover"}]
        },
    )

    op: Literal["resize"] = "resize"
    width: Side | None = Field(default=None, description="Width of the box, in pixels.")
    height: Side | None = Field(default=None, description="Height of the box, in pixels.")
    fit: Fit = Field(default=Fit.INSIDE, description="How the picture meets the box.")
    enlarge: bool = Field(default=False, description="Whether a smaller picture is scaled up.")
    background: Colour = "#ffffff"

    @model_validator(mode="after")
    def _has_a_side(self) -> Self:
        if self.width is None and self.height is None:
            raise ValueError("resize needs a width, a height, or both")
        return self


class Grayscale(_Closed):
    """Take the colour out."""

    op: Literal["grayscale"] = "grayscale"


class Blur(_Closed):
    """Blur with a Gaussian."""

    op: Literal["blur"] = "blur"
    radius: float = Field(ge=0.1, le=100, description="Standard deviation, in pixels.")


class Sharpen(_Closed):
    """Sharpen with an unsharp mask."""

    op: Literal["sharpen"] = "sharpen"
    amount: int = Field(default=100, ge=1, le=500, description="Strength, in percent.")
    radius: float = Field(default=1.0, ge=0.1, le=100, description="Radius of the mask, in pixels.")
    threshold: int = Field(
        default=2, ge=0, le=255, description="Smallest difference sharpened, in levels of 255."
    )


class Brightness(_Closed):
    """Multiply the light: 0 is black."""

    op: Literal["brightness"] = "brightness"
    factor: Factor


class Contrast(_Closed):
    """Spread the levels about the picture's mean: 0 is an even gray."""

    op: Literal["contrast"] = "contrast"
    factor: Factor


class Saturation(_Closed):
    """Strengthen or weaken the colours: 0 is grayscale."""

    op: Literal["saturation"] = "saturation"
    factor: Factor


class Sepia(_Closed):
    """Tint like an old photograph."""

    op: Literal["sepia"] = "sepia"
    strength: float = Field(default=1.0, ge=0, le=1, description="0 leaves the picture as it is.")


Operation = Annotated[
    Resize | Grayscale | Blur | Sharpen | Brightness | Contrast | Saturation | Sepia,
    Field(discriminator="op"),
]

Format = Literal["jpeg", "webp", "png", "avif"]


class Recipe(_Closed):
    """How one variant is made: operations in order, then a format."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "card",
                    "operations": [
                        {"op": "resize", "width": 600, "height": 400, "fit": "cover"},
                        {"op": "sharpen"},
                    ],
                    "format": "webp",
                    "quality": 80,
                }
            ]
        },
    )

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$",
        description="The variant's name: letters, digits, - and _, in lower case.",
        examples=["card"],
    )
    operations: tuple[Operation, ...] = Field(
        default=(), max_length=MAX_OPERATIONS, description="Steps, in order; none only re-encodes."
    )
    format: Format | Literal["auto"] = Field(
        default="auto", description="auto: webp where the result can be transparent, else jpeg."
    )
    quality: int = Field(
        default=82,
        ge=1,
        le=100,
        description="The encoder's own scale; PNG is lossless and ignores it.",
    )

    @cached_property
    def as_json(self) -> dict[str, Any]:
        """The recipe as plain values, from which `model_validate` makes it again."""
        return self.model_dump(mode="json")

    @cached_property
    def digest(self) -> str:
        """Eight hexadecimal digits that stand for everything the recipe says: its version.

        What is left at its default is left out, so that a release which knows more fields does
        not give every recipe a new version.
        """
        said = self.model_dump(mode="json", exclude_defaults=True)
        said["operations"] = [
            {"op": one.op, **one.model_dump(mode="json", exclude_defaults=True)}
            for one in self.operations
        ]
        text = json.dumps(said, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


class Pipeline(_Closed):
    """The variants to make of one picture."""

    variants: tuple[Recipe, ...] = Field(
        min_length=1, max_length=MAX_VARIANTS, description="One recipe a variant."
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [recipe.name for recipe in self.variants]
        if len(set(names)) < len(names):
            raise ValueError("two variants have the same name")
        return self


def _inside(name: str, side_px: int) -> Recipe:
    return Recipe(name=name, operations=(Resize(width=side_px, height=side_px),))


DEFAULT_PRESETS: Mapping[str, Recipe] = MappingProxyType(
    {
        "thumbnail": Recipe(
            name="thumbnail", operations=(Resize(width=200, height=200, fit=Fit.COVER),)
        ),
        "small": _inside("small", 400),
        "medium": _inside("medium", 800),
        "large": _inside("large", 1600),
    }
)
