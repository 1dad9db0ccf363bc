"""Pixmill and sharp as makers of WebP and AVIF, and the qualities at which they are equally good.

The encoders' scales differ, so the same number on both would compare nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from PIL import Image

from bench.likeness import in_full, likeness, scaled
from bench.pipelines import Sharp, in_threads
from bench.places import scratch
from service.imaging import Limits, Recipe, probe, render
from service.imaging.presets import Format
from service.imaging.words import Resize

#: Where a matching quality is looked for: 31 of them take five looks.
QUALITIES = range(70, 101)
#: How many photos at a time are made where nobody looks at the clock.
HASTE = 2

#: A quality for each size, the largest first.
Qualities = Mapping[int, int]
#: Makes the variants of photos, so many photos at a time, and keeps them as `<photo>-<size>` in
#: the folder if there is one. Returns seconds.
Make = Callable[[Sequence[Path], Qualities, int, Path | None], float]


@dataclass(frozen=True)
class Score:
    """Of all photos at one size, the means."""

    ssim: float
    kilobytes: float


@dataclass(frozen=True)
class Judge:
    """Who scores what a maker makes of the photos."""

    photos: Sequence[Path]
    #: The luma of a photo at a size, each made once.
    reference: Callable[[Path, tuple[int, int]], Image.Image] = field(
        default_factory=lambda: cache(lambda photo, size: scaled(in_full(photo), size))
    )

    def scores(self, make: Make, qualities: Qualities) -> dict[int, Score]:
        """One for each size. Raises: RuntimeError where a variant is not of its size."""
        with scratch("formats") as folder:
            make(self.photos, qualities, HASTE, folder)
            return {size: self._score(folder, size) for size in qualities}

    def _score(self, folder: Path, size: int) -> Score:
        def likeness_of(photo: Path) -> float:
            return self._likeness(photo, folder / f"{photo.stem}-{size}", size)

        with ThreadPoolExecutor(HASTE) as pool:
            alike = fmean(pool.map(likeness_of, self.photos))
        sizes = [(folder / f"{photo.stem}-{size}").stat().st_size for photo in self.photos]
        return Score(alike, fmean(sizes) / 1e3)

    def _likeness(self, photo: Path, file: Path, size: int) -> float:
        with Image.open(file) as variant:
            if max(variant.size) != size:
                raise RuntimeError(f"{photo.stem}: {variant.size} px where {size} was due")
            return likeness(variant, self.reference(photo, variant.size))


def matched(
    make: Make, target: Mapping[int, Score], judge: Judge
) -> tuple[Qualities, dict[int, Score]]:
    """For each size the lowest quality whose mean SSIM is no less than the target's, and its score.

    The highest there is where none reaches it, which the score shows.
    """
    scores = cache(lambda quality: judge.scores(make, dict.fromkeys(target, quality)))

    def lowest(size: int) -> int:
        at = bisect_left(QUALITIES, target[size].ssim, key=lambda q: scores(q)[size].ssim)
        return QUALITIES[min(at, len(QUALITIES) - 1)]

    qualities = {size: lowest(size) for size in target}
    return qualities, {size: scores(quality)[size] for size, quality in qualities.items()}


def pixmill(picture_format: Format) -> Make:
    """The service's own pipeline."""

    def make(
        photos: Sequence[Path], qualities: Qualities, in_flight: int, folder: Path | None
    ) -> float:
        recipes = [_recipe(picture_format, *each) for each in qualities.items()]

        def work(photo: Path) -> None:
            for variant in render(photo, probe(photo, Limits()), recipes):
                if folder:
                    (folder / f"{photo.stem}-{variant.name}").write_bytes(variant.data)

        return in_threads(work, photos, in_flight)

    return make


def _recipe(picture_format: Format, size: int, quality: int) -> Recipe:
    resize = Resize(width=size, height=size)
    return Recipe(name=str(size), operations=(resize,), format=picture_format, quality=quality)


def by_sharp(process: Sharp, picture_format: Format, options: Mapping[str, Any]) -> Make:
    """Sharp with options beside the quality."""

    def make(
        photos: Sequence[Path], qualities: Qualities, in_flight: int, folder: Path | None
    ) -> float:
        variants = [
            {"size": size, "format": picture_format, "options": {**options, "quality": quality}}
            for size, quality in qualities.items()
        ]
        return process.make(photos, variants, in_flight, folder)

    return make
