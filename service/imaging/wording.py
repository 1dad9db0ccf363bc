"""A recipe in a sentence, for those who choose among presets."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from service.imaging.presets import Fit, Operation, Recipe, Resize

_FITS: Mapping[Fit, str] = MappingProxyType(
    {
        Fit.COVER: "fill {box} and cut off the rest",
        Fit.CONTAIN: "fit into {box} and pad the rest",
        Fit.INSIDE: "fit into {box}",
        Fit.OUTSIDE: "cover {box}, nothing cut off",
        Fit.FILL: "stretch to {box}",
    }
)


def in_words(recipe: Recipe) -> str:
    """What a recipe does, in order, and the format it ends in."""
    steps = [_resize(one) if isinstance(one, Resize) else _named(one) for one in recipe.operations]
    sentence = ", then ".join([*steps, _format(recipe)])
    return f"{sentence[0].upper()}{sentence[1:]}."


def _resize(resize: Resize) -> str:
    if resize.width and resize.height:
        words = _FITS[resize.fit].format(box=f"{resize.width}×{resize.height}")
    else:
        words = f"scale to {resize.width or resize.height} pixels "
        words += "of width" if resize.width else "of height"
    return f"{words}, enlarging smaller pictures" if resize.enlarge else words


def _named(operation: Operation) -> str:
    """Any other operation by its name, with what it was given beyond its defaults."""
    given = operation.model_dump(mode="json", exclude_defaults=True)
    listed = ", ".join(f"{name} {value}" for name, value in given.items() if name != "op")
    return f"{operation.op} ({listed})" if listed else operation.op


def _format(recipe: Recipe) -> str:
    if recipe.format == "png":
        return "as PNG"
    if recipe.format == "auto":
        return f"as JPEG, or WebP where transparent, quality {recipe.quality}"
    return f"as {recipe.format.upper()}, quality {recipe.quality}".replace("WEBP", "WebP")
