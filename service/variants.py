"""A variant before it is made: its row, where it will be stored, and the version of its recipe."""

from __future__ import annotations

from typing import Any

from service.imaging import Probe, Recipe, plan

#: The name of what is made for an address; nobody else's recipe may have it.
RENDER = "render"


def variant_row(image_id: str, probe: Probe, position: int, recipe: Recipe) -> dict[str, Any]:
    """The row of a variant to come. Raises: BadPipeline."""
    planned = plan(probe, recipe)
    return {
        "image_id": image_id,
        "name": planned.name,
        "position": position,
        "recipe": recipe.as_json,
        "key": key_of(image_id, recipe, planned.format),
        "width": planned.width,
        "height": planned.height,
        "format": planned.format,
        "content_type": planned.content_type,
        "status": "pending",
    }


def key_of(image_id: str, recipe: Recipe, fmt: str) -> str:
    """Where a variant is stored: the same at every attempt, another for another recipe."""
    return f"{image_id}/{recipe.name}.{recipe.digest}.{fmt}"


def version_of(key: str) -> str:
    """The digest of the recipe that what is stored under `key` was made by."""
    return key.rsplit(".", 2)[1]
