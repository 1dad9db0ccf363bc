"""The presets of this service: read from its settings, chosen for an image, told in words."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from service.errors import BadPipeline, UnknownPreset
from service.imaging import DEFAULT_PRESETS, Pipeline, Probe, Recipe, in_words, missing_mark, plan
from service.schemas import Document
from service.variants import RENDER

Presets = Mapping[str, Recipe]
#: A preset's name that stands for no preset at all: only the pipeline is made.
NO_PRESET = "none"
_RECIPES: TypeAdapter[list[Recipe]] = TypeAdapter(list[Recipe])


class ExampleDocument(Document):
    """What a preset would make of a picture of some size."""

    of_width: int
    of_height: int
    width: int
    height: int
    format: str


class PresetDocument(Document):
    """What may be asked for by name."""

    name: str = Field(examples=["card"])
    version: str = Field(description="Another one means that it was changed.")
    summary: str = Field(examples=["Fit into 800×800, then as WebP, quality 80."])
    recipe: Recipe
    example: ExampleDocument | None = Field(description="Null where it cannot be made.")


def read_presets(text: str) -> Presets:
    """The presets of `PIXMILL_PRESETS` by name, or those built in where it is empty.

    What begins with a bracket is a JSON list of recipes; anything else is the path of a TOML file
    with a table for each preset, named as it is.

    Raises: ValueError with what is wrong in words.
    """
    text = text.strip()
    if not text:
        return DEFAULT_PRESETS
    try:
        listed = json.loads(text) if text.startswith("[") else _listed(Path(text))
        recipes = _RECIPES.validate_python(listed)
    except OSError as error:
        raise ValueError(f"PIXMILL_PRESETS names no file that can be read: {error}") from None
    except (ValidationError, ValueError) as error:
        raise ValueError(
            f"PIXMILL_PRESETS is no JSON list of recipes, and no TOML file of them: {error}"
        ) from None
    named = {recipe.name: recipe for recipe in recipes}
    if len(named) < len(recipes):
        raise ValueError("PIXMILL_PRESETS has two presets of the same name")
    if RENDER in named:
        raise ValueError(f"PIXMILL_PRESETS has a preset {RENDER!r}: the name is taken")
    return named


def _listed(path: Path) -> list[Any]:
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return [
        {"name": name, **table} if isinstance(table, dict) else table
        for name, table in tables.items()
    ]


def recipes_for(
    presets: Presets, names: Sequence[str], pipeline: Pipeline | None, watermarks: Path
) -> tuple[Recipe, ...]:
    """What to make of an image: the named presets, or all, and a pipeline's variants on top.

    A pipeline's variant takes the place of a preset of its name.

    Raises: UnknownPreset; BadPipeline.
    """
    chosen = {name: _preset(presets, name) for name in names or presets if name != NO_PRESET}
    for recipe in pipeline.variants if pipeline else ():
        if recipe.name == RENDER:
            raise BadPipeline(f"The name {RENDER!r} is taken.", field="pipeline.variants")
        chosen[recipe.name] = recipe
    check_marks(chosen.values(), watermarks)
    return tuple(chosen.values())


def check_marks(recipes: Iterable[Recipe], watermarks: Path, field: str = "pipeline") -> None:
    """Raises: BadPipeline where a recipe names an image that is not in the folder."""
    if mark := missing_mark(recipes, watermarks):
        raise BadPipeline(f"There is no image {mark!r} for a watermark.", field=field)


def _preset(presets: Presets, name: str) -> Recipe:
    try:
        return presets[name]
    except KeyError:
        raise UnknownPreset(
            f"There is no preset {name!r}; there is {', '.join(presets)}.", field="preset"
        ) from None


def explained(recipe: Recipe, width: int, height: int) -> PresetDocument:
    """A preset as a client sees it, with what it would make of an opaque picture of that size."""
    return PresetDocument(
        name=recipe.name,
        version=recipe.digest,
        summary=in_words(recipe),
        recipe=recipe,
        example=_example(recipe, Probe("jpeg", "image/jpeg", width, height, 1, 1, alpha=False)),
    )


def _example(recipe: Recipe, probe: Probe) -> ExampleDocument | None:
    try:
        planned = plan(probe, recipe)
    except BadPipeline:
        return None
    return ExampleDocument(
        of_width=probe.width,
        of_height=probe.height,
        width=planned.width,
        height=planned.height,
        format=planned.format,
    )
