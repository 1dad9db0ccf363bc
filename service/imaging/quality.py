"""The quality a picture is encoded with: given, found by its likeness, or by its bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from PIL import Image

from service.imaging.colours import is_flat
from service.imaging.encode import LOSSY, encode, flattened
from service.imaging.motion import Motion
from service.imaging.opening import opened
from service.imaging.presets import Format, Recipe
from service.imaging.ssim import Plane, plane, similarity
from service.interrupting import checkpoint

#: Between these the quality with a likeness is looked for; beyond them files only grow or break.
LOWEST, HIGHEST = 20, 95
#: Encodings at most for a likeness, and as many again for bytes: halving finds one of 95 in 7.
MAX_ENCODINGS = 7


@dataclass(frozen=True)
class Encoded:
    """A file, and what was chosen for it."""

    data: bytes
    #: On the encoder's own scale; None where nothing is lost.
    quality: int | None
    #: Its likeness to the picture it was made from (SSIM of the luma), where that was measured.
    score: float | None = None


def encoded(
    image: Image.Image, picture_format: Format, recipe: Recipe, motion: Motion | None = None
) -> Encoded:
    """Encode by a recipe.

    With `similarity`, the lowest quality from 20 to 95 that reaches it; with `max_bytes`, no
    higher a quality than keeps to it, or 1 where none does. Further frames are encoded as the
    recipe's `quality` says. Where `auto` has come to WebP and nothing is asked of the quality, a
    flat picture is kept without loss.
    """
    if _keeps_all(image, picture_format, recipe, motion):
        recipe = recipe.model_copy(update={"lossless": True})
    if picture_format not in LOSSY or (picture_format == "webp" and recipe.lossless):
        return Encoded(encode(image, picture_format, recipe, motion=motion), None)
    if motion is not None:
        return Encoded(encode(image, picture_format, recipe, motion=motion), recipe.quality)

    def attempt(quality: int) -> Encoded:
        return Encoded(encode(image, picture_format, recipe, quality), quality)

    if recipe.similarity is None:
        found = attempt(recipe.quality)
    else:
        found = _alike(image, picture_format, recipe.similarity, attempt)
    if recipe.max_bytes is None or len(found.data) <= recipe.max_bytes:
        return found
    return _small(found, recipe.max_bytes, attempt)


def _keeps_all(
    image: Image.Image, picture_format: Format, recipe: Recipe, motion: Motion | None
) -> bool:
    free = recipe.similarity is None and recipe.max_bytes is None and motion is None
    return recipe.format == "auto" and picture_format == "webp" and free and is_flat(image)


Attempt = Callable[[int], Encoded]


def _alike(image: Image.Image, picture_format: Format, target: float, attempt: Attempt) -> Encoded:
    """The lowest quality whose likeness is at least `target`; the highest where none is."""
    reference = plane(flattened(image))
    low, high = LOWEST, HIGHEST
    best = last = None
    while low <= high:
        checkpoint()
        middle = (low + high) // 2
        last = _scored(attempt(middle), picture_format, reference)
        if (last.score or 0) >= target:
            best, high = last, middle - 1
        else:
            low = middle + 1
    return best or cast(Encoded, last)  # where none is good enough, the last was the highest


def _scored(found: Encoded, picture_format: Format, reference: Plane) -> Encoded:
    with opened(io.BytesIO(found.data), picture_format) as image:
        image.load()
        seen = flattened(image.convert("RGBA" if image.has_transparency_data else "RGB"))
    return Encoded(found.data, found.quality, round(similarity(reference, plane(seen)), 4))


def _small(found: Encoded, max_bytes: int, attempt: Attempt) -> Encoded:
    """The highest quality below the one found whose file has at most `max_bytes`, or 1."""
    low, high = 1, (found.quality or 1) - 1
    best, last = None, found
    while low <= high:
        checkpoint()
        middle = (low + high) // 2
        last = attempt(middle)
        if len(last.data) <= max_bytes:
            best, low = last, middle + 1
        else:
            high = middle - 1
    return best or last  # where none is small enough, the last was the lowest
