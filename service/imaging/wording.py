"""A recipe in a sentence, for those who choose among presets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from service.imaging.presets import Recipe
from service.imaging.words import Fit, Operation, Resize

_FITS: Mapping[Fit, str] = MappingProxyType(
    {
        Fit.COVER: "fill {box} and cut off the rest",
        Fit.CONTAIN: "fit into {box} and pad the rest",
        Fit.INSIDE: "fit into {box}",
        Fit.OUTSIDE: "cover {box}, nothing cut off",
        Fit.FILL: "stretch to {box}",
    }
)
_FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "auto": "JPEG, or WebP where transparent or drawn",
        "jpeg": "JPEG",
        "webp": "WebP",
        "avif": "AVIF",
        "png": "PNG",
        "gif": "GIF",
    }
)


def in_words(recipe: Recipe) -> str:
    """What a recipe does, in order, and the format it ends in."""
    steps = [_resize(one) if isinstance(one, Resize) else _named(one) for one in recipe.operations]
    sentence = ", then ".join([*steps, _format(recipe)])
    return f"{sentence[0].upper()}{sentence[1:]}."


def _resize(resize: Resize) -> str:
    words = _scale(resize)
    return f"{words}, enlarging smaller pictures" if resize.enlarge else words


def _scale(resize: Resize) -> str:
    if resize.scale is not None:
        return f"scale to {resize.scale * resize.dpr:.4g} times the size"
    width, height = (side and round(side * resize.dpr) for side in (resize.width, resize.height))
    if width and height:
        return _FITS[resize.fit].format(box=f"{width}×{height}")
    return f"scale to {width or height} pixels of {'width' if width else 'height'}"


def _named(operation: Operation) -> str:
    """Any other operation by its name, with what it was given beyond its defaults."""
    given = operation.model_dump(mode="json", exclude_defaults=True)
    listed = ", ".join(f"{name} {value}" for name, value in given.items() if name != "op")
    return f"{operation.op} ({listed})" if listed else operation.op


def _format(recipe: Recipe) -> str:
    said = [f"as {_FORMATS[recipe.format]}", *_choices(recipe)]
    return ", ".join([*said, *_frames(recipe)])


def _frames(recipe: Recipe) -> Iterator[str]:
    """Which of several frames or pages are kept, where that is not the first."""
    if recipe.animated:
        yield "moving pictures kept moving"
    elif recipe.frame > 1:
        yield f"of several frames or pages number {recipe.frame}"


def _choices(recipe: Recipe) -> Iterator[str]:
    """What is said of a file's quality, where that means something."""
    if recipe.format in {"png", "gif"}:
        if recipe.colors:
            yield f"{recipe.colors} colours"
        return
    if recipe.lossless:
        yield "WebP without loss"
    elif recipe.similarity is not None:
        yield f"as small as {recipe.similarity:g} alike (SSIM) can be"
    else:
        yield f"quality {recipe.quality}"
    if recipe.max_bytes is not None:
        yield f"at most {recipe.max_bytes} bytes"
