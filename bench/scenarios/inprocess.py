"""The pipeline without a service around it: `service.imaging.render` beside sharp and the floor.

The floor is libjpeg-turbo alone: the same scaled decoding and three encodings of ready pictures,
with no resampling. Nothing that makes these JPEGs with it can be faster.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter

from PIL import Image
from pydantic import TypeAdapter

from bench import corpus, installs
from bench.client import SIZES
from bench.figures import Spread
from bench.lineup import OURS, PRESETS
from bench.options import Options, in_turn
from bench.report import Goal, Section, Table
from service.imaging import Limits, Recipe, probe, render

#: One turn over some photos: photos a second.
Turn = Callable[[], float]

PASSES = 2
WARM_UP_TURNS = 2
RECIPES = TypeAdapter(list[Recipe]).validate_python(PRESETS)


def measure(options: Options) -> Section:
    photos = sorted(corpus.photos(), key=lambda file: file.stat().st_size, reverse=True)
    # Heaviest first: the end of a turn, when one of two workers is done, is short for everybody.
    todo = [photo for photo in photos for _ in range(1 if options.quick else PASSES)]
    floor = _floor(photos)
    with ExitStack() as stack:
        turns: dict[str, Turn] = {
            f"{OURS}, 1 thread": lambda: _threads(_ours, todo, 1),
            f"{OURS}, 2 threads": lambda: _threads(_ours, todo, 2),
            "sharp, 1 in flight": stack.enter_context(_sharp(todo, 1)),
            "sharp, 2 in flight": stack.enter_context(_sharp(todo, 2)),
            "floor, 1 thread": lambda: _threads(floor, todo, 1),
            "floor, 2 threads": lambda: _threads(floor, todo, 2),
        }
        rates = _rounds(turns, options)
    rows = [(name, Spread.of(rounds).text()) for name, rounds in rates.items()]
    table = Table("Decode, orient, 1600, 800 and 200 px, JPEG q82:", ("pipeline", "photos/s"), rows)
    return Section("In process", [table], _goals(rates))


def _rounds(turns: dict[str, Turn], options: Options) -> dict[str, list[float]]:
    for turn in turns.values():
        for _ in range(1 if options.quick else WARM_UP_TURNS):
            turn()
    rates: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(options.rounds):
        for name in in_turn(number, list(turns)):
            rates[name].append(turns[name]())
            print(f"inprocess {name}: {rates[name][-1]:.2f}/s", file=sys.stderr)
    return rates


def _threads(work: Callable[[Path], None], photos: Sequence[Path], threads: int) -> float:
    start = perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, photos))
    return len(photos) / (perf_counter() - start)


def _ours(photo: Path) -> None:
    for _ in render(photo, probe(photo, Limits()), RECIPES):
        pass


def _floor(photos: Sequence[Path]) -> Callable[[Path], None]:
    """Work that decodes a photo and encodes its variants, which were made beforehand."""
    ready: dict[Path, list[Image.Image]] = {}
    for photo in photos:
        image = _decode(photo)
        ready[photo] = [_scaled(image, size) for size in SIZES]

    def work(photo: Path) -> None:
        _decode(photo)
        for variant in ready[photo]:
            with os.fdopen(os.memfd_create("variant"), "w+b") as file:
                variant.save(file, "JPEG", quality=82)

    return work


def _decode(photo: Path) -> Image.Image:
    """As small as libjpeg can make it while the largest variant can still be made from it."""
    with Image.open(photo) as image:
        scale = SIZES[0] / max(image.size)
        image.draft("RGB", (round(image.width * scale), round(image.height * scale)))
        image.load()
        return image


def _scaled(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)))


@contextmanager
def _sharp(photos: Sequence[Path], in_flight: int) -> Iterator[Turn]:
    """A Node process that makes one turn for every line it is sent."""
    script = installs.node() / "sharp_inprocess.mjs"
    command = ["node", str(script), str(in_flight), *map(str, photos)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True)

    def turn() -> float:
        assert process.stdin
        assert process.stdout
        process.stdin.write("\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    try:
        yield turn
    finally:
        process.kill()
        process.wait()


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
