"""What each operation costs, and what more variants of one picture cost: no service around it.

Each operation is carried out on a photograph of 1920 px by one thread, with the parameters of the
tests' examples. The figure is megapixels of the picture that goes in, a second of the thread's own
time: others on the machine disturb it less.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import thread_time

from PIL import Image

from bench import corpus
from bench.figures import Spread
from bench.options import Options, in_turn
from bench.report import Goal, Section, Table
from service.imaging import Limits, Recipe, probe, render
from service.imaging.operations import Marks, apply
from service.imaging.words import Operation, Resize
from tests.unit.imaging.examples import ALL

LONGEST_PX = 1920
THREE = (1600, 800, 200)
TWELVE = (1600, 1280, 1024, 800, 640, 480, 400, 320, 256, 200, 128, 96)
#: A turn goes on until it has taken this long: a single call is too short to be timed.
TURN_SECONDS = 0.2


def measure(options: Options) -> Section:
    photos = corpus.photos()
    picture = _picture(photos[0])
    marks = {"logo": picture.resize((400, 240)).convert("RGBA")}
    rates = {operation.op: list[float]() for operation in ALL}
    for number in range(options.rounds):
        for operation in in_turn(number, ALL):
            rates[operation.op].append(_rate(picture, operation, marks))
            print(f"operations {operation.op}: {rates[operation.op][-1]:.0f} MP/s", file=sys.stderr)
    rows = [(f"`{name}`", Spread.of(each).text(0)) for name, each in sorted(rates.items())]
    caption = f"One thread, a photograph of {LONGEST_PX} px, no encoding:"
    three, twelve = _variants(photos[: 2 if options.quick else None], options)
    goal = Goal("seconds for twelve presets / three", Spread.of_ratios(twelve, three), at_most=2)
    return Section("Operations", [Table(caption, ("operation", "MP/s"), rows)], [goal])


def _picture(photo: Path) -> Image.Image:
    with Image.open(photo) as image:
        image.thumbnail((LONGEST_PX, LONGEST_PX))
        return image.convert("RGB")


def _rate(picture: Image.Image, operation: Operation, marks: Marks) -> float:
    """Megapixels a second."""
    count, start = 0, thread_time()
    while (seconds := thread_time() - start) < TURN_SECONDS:
        apply(picture, operation, marks)
        count += 1
    return count * picture.width * picture.height / 1e6 / seconds


def _variants(photos: Sequence[Path], options: Options) -> tuple[list[float], list[float]]:
    """Seconds for three variants of each photo, and for twelve, a round each."""
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(options.rounds):
        for which in in_turn(number, (0, 1)):
            found[which].append(_seconds(_made((THREE, TWELVE)[which]), photos))
    return found


def _made(sides: Sequence[int]) -> Callable[[Path], None]:
    recipes = [
        Recipe(name=f"v{side}", operations=(Resize(width=side, height=side),)) for side in sides
    ]

    def make(photo: Path) -> None:
        for _ in render(photo, probe(photo, Limits()), recipes):
            pass

    return make


def _seconds(work: Callable[[Path], None], photos: Sequence[Path]) -> float:
    start = thread_time()
    for photo in photos:
        work(photo)
    return thread_time() - start
