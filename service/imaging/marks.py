"""The operator's own images, for `watermark`: PNG files in one folder, known by their names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from service.errors import BadPipeline, ServiceError
from service.imaging.colour import prepare, to_srgb
from service.imaging.opening import opened
from service.imaging.presets import Recipe
from service.imaging.probe import Limits, probe
from service.imaging.words import Watermark

#: Larger ones are refused: they are read anew for each upload.
LIMITS = Limits(max_pixels=4_000_000, max_frames=1, formats=frozenset({"png"}))


def named(recipes: Iterable[Recipe]) -> set[str]:
    """The names of all images that the recipes put on a picture."""
    steps = (step for recipe in recipes for step in recipe.operations)
    return {step.image for step in steps if isinstance(step, Watermark)}


def missing_mark(recipes: Iterable[Recipe], folder: Path | None) -> str | None:
    """The first name for which the folder has no file."""
    for name in sorted(named(recipes)):
        if folder is None or not _file(folder, name).is_file():
            return name
    return None


def pixels_of(recipes: Iterable[Recipe], folder: Path | None) -> int:
    """The pixels of all images that the recipes name, twice, as they are read; 0 for what cannot be
    read."""
    return 2 * sum(_pixels(name, folder) for name in named(recipes))


def _pixels(name: str, folder: Path | None) -> int:
    try:
        found = probe(_file(folder, name), LIMITS) if folder else None
    except (ServiceError, OSError):
        return 0
    return found.width * found.height if found else 0


def read(recipes: Iterable[Recipe], folder: Path | None) -> dict[str, Image.Image]:
    """The images that the recipes name, RGBA in sRGB.

    Raises:
        BadPipeline: there is no such file, or it is no PNG of at most 4 megapixels.
    """
    return {name: _read(name, folder) for name in sorted(named(recipes))}


def _read(name: str, folder: Path | None) -> Image.Image:
    if folder is None:
        raise BadPipeline("There are no images for watermarks here", field="image")
    try:
        path = _file(folder, name)
        probe(path, LIMITS)
        with opened(path, "png") as image:
            image.load()
            profile = image.info.get("icc_profile")
            return to_srgb(prepare(image), profile).convert("RGBA")
    except (ServiceError, OSError, SyntaxError, ValueError) as error:
        raise BadPipeline(f"The image {name!r} cannot be used: {error}", field="image") from error


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.png"
