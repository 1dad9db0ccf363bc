"""The pipeline without a service around it: `service.imaging.render` beside sharp and the floor.

The floor is libjpeg-turbo alone: the same scaled decoding and three encodings of ready pictures,
with no resampling. Nothing that makes these JPEGs with it can be faster.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image
from pydantic import TypeAdapter

from bench import corpus
from bench.client import SIZES
from bench.figures import Spread
from bench.floors import decode
from bench.lineup import OURS, PRESETS
from bench.options import Options, in_turn
from bench.pipelines import in_threads, sharp
from bench.report import Goal, Section, Table
from service.imaging import Limits, Recipe, probe, render

#: One turn over some photos, in seconds.
Turn = Callable[[], float]

PASSES = 2
WARM_UP_TURNS = 2
RECIPES = TypeAdapter(list[Recipe]).validate_python(PRESETS)
#: Plain Huffman tables, as Pillow writes them.
JPEG = {"quality": 82, "chromaSubsampling": "4:2:0", "optimiseCoding": False}
VARIANTS = [{"size": size, "format": "jpeg", "options": JPEG} for size in SIZES]


def measure(options: Options) -> Section:
    photos = sorted(corpus.photos(), key=lambda file: file.stat().st_size, reverse=True)
    # Heaviest first: the end of a turn, when one of two workers is done, is short for everybody.
    todo = [photo for photo in photos for _ in range(1 if options.quick else PASSES)]
    floor = _floor(photos)
    with sharp(1) as one, sharp(2) as two:
        turns: dict[str, Turn] = {
            f"{OURS}, 1 thread": lambda: in_threads(_ours, todo, 1),
            f"{OURS}, 2 threads": lambda: in_threads(_ours, todo, 2),
            "sharp, 1 in flight": lambda: one.make(todo, VARIANTS, 1),
            "sharp, 2 in flight": lambda: two.make(todo, VARIANTS, 2),
            "floor, 1 thread": lambda: in_threads(floor, todo, 1),
            "floor, 2 threads": lambda: in_threads(floor, todo, 2),
        }
        rates = _rounds(turns, len(todo), options)
    rows = [(name, Spread.of(rounds).text()) for name, rounds in rates.items()]
    table = Table("Decode, orient, 1600, 800 and 200 px, JPEG q82:", ("pipeline", "photos/s"), rows)
    return Section("In process", [table], _goals(rates))


def _rounds(turns: dict[str, Turn], photos: int, options: Options) -> dict[str, list[float]]:
    for turn in turns.values():
        for _ in range(1 if options.quick else WARM_UP_TURNS):
            turn()
    rates: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(options.rounds):
        for name in in_turn(number, list(turns)):
            rates[name].append(photos / turns[name]())
            print(f"inprocess {name}: {rates[name][-1]:.2f}/s", file=sys.stderr)
    return rates


def _ours(photo: Path) -> None:
    for _ in render(photo, probe(photo, Limits()), RECIPES):
        pass


def _floor(photos: Sequence[Path]) -> Callable[[Path], None]:
    """Work that decodes a photo and encodes its variants, which were made beforehand."""
    ready: dict[Path, list[Image.Image]] = {}
    for photo in photos:
        image = decode(photo)
        ready[photo] = [_scaled(image, size) for size in SIZES]

    def work(photo: Path) -> None:
        decode(photo)
        for variant in ready[photo]:
            with os.fdopen(os.memfd_create("variant"), "w+b") as file:
                variant.save(file, "JPEG", quality=82)

    return work


def _scaled(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)))


def _goals(rates: dict[str, list[float]]) -> list[Goal]:
    one, two = rates[f"{OURS}, 1 thread"], rates[f"{OURS}, 2 threads"]
    return [
        Goal(
            f"{OURS} / sharp, two at a time",
            Spread.of_ratios(two, rates["sharp, 2 in flight"]),
            1.2,
        ),
        Goal(
            f"{OURS} / floor, two threads", Spread.of_ratios(two, rates["floor, 2 threads"]), 0.65
        ),
        Goal(f"{OURS}, two threads / one", Spread.of_ratios(two, one), 1.9),
    ]
