"""Recipes and pipelines: what a client sends, and the presets that need no sending.

Everything here is data: frozen, closed (unknown fields are refused), bounded, and shown with
its examples in the OpenAPI document. The operations' own words are in `words`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from service.imaging.words import Closed, Fit, Operation, Resize

MAX_OPERATIONS = 16
MAX_VARIANTS = 20
MAX_FRAME = 1_000_000

Format = Literal["jpeg", "webp", "png", "avif", "gif"]
Frame = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_FRAME,
        description="The one that is taken of several frames or pages; the last if there are "
        "fewer.",
    ),
]


class Recipe(Closed):
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
        default="auto",
        description="auto: webp where the result can be transparent or moves, and of GIF, PNG and "
        "BMP, without loss where it is flat; else jpeg.",
    )
    quality: int = Field(
        default=82,
        ge=1,
        le=100,
        description="The encoder's own scale; PNG and GIF ignore it.",
    )
    similarity: float | None = Field(
        default=None,
        ge=0.5,
        le=0.999,
        description="The lowest quality with this likeness (SSIM) is taken, not `quality`.",
    )
    max_bytes: int | None = Field(
        default=None,
        ge=256,
        le=50_000_000,
        description="The quality is lowered until the file is no larger.",
    )
    lossless: bool = Field(default=False, description="WebP without loss.")
    progressive: bool = Field(default=False, description="JPEG that sharpens as it arrives.")
    chroma: Literal["4:2:0", "4:2:2", "4:4:4"] = Field(
        default="4:2:0", description="How finely JPEG and AVIF keep colours."
    )
    colors: int | None = Field(
        default=None, ge=2, le=256, description="A palette of so many colours, of PNG and GIF."
    )
    animated: bool = Field(
        default=False, description="Keep a moving picture moving, in WebP, GIF or PNG."
    )
    frame: Frame = 1

    @model_validator(mode="after")
    def _is_one_frame_or_all(self) -> Self:
        if self.animated and self.frame != 1:
            raise ValueError("a variant has all frames (animated) or one of them (frame)")
        return self

    @cached_property
    def as_json(self) -> dict[str, Any]:
        """The recipe as plain values, from which `model_validate` makes it again."""
        return self.model_dump(mode="json")

    @cached_property
    def digest(self) -> str:
        """Eight hexadecimal digits that stand for everything the recipe says.

        What it leaves at its default does not count, so that a new option changes no digest.
        """
        steps = [{"op": one.op, **_said(one)} for one in self.operations]
        text = json.dumps(_said(self) | {"operations": steps}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def _said(model: Closed) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_defaults=True)


class Pipeline(Closed):
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
