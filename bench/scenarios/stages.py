"""Where a photograph's time goes, and how far each stage is from the least it can take.

One thread, no peers. The stages are as the pipeline itself reports them, the floors are the same
libraries alone (`bench.floors`). Both are taken photo by photo, one right after the other.
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from statistics import fmean
from tempfile import mkdtemp
from time import perf_counter
from uuid import uuid4

from PIL import Image, ImageFilter

from bench import corpus, floors
from bench.client import SIZES
from bench.figures import Spread
from bench.floors import seconds_of
from bench.lineup import OURS
from bench.options import Options, in_turn
from bench.places import scratch
from bench.report import Goal, Section, Table
from bench.scenarios.inprocess import RECIPES
from service.imaging import Limits, Recipe, probe, steps
from service.imaging.words import Fit, Resize, Sharpen
from service.storage.local import LocalFolder

LARGEST = Resize(width=SIZES[0], height=SIZES[0])
SHARPENED = Recipe(name="sharpened", operations=(LARGEST, Sharpen()))
WIDE = Recipe(
    name="wide", operations=(Resize(width=1600, height=900, fit=Fit.COVER),), format="png"
)
MASK = ImageFilter.UnsharpMask(Sharpen().radius, Sharpen().amount, Sharpen().threshold)
BUFFER_BYTES = 64 << 20
#: Each so many of the photos: all stages and floors of one take more than a second.
EVERY = 2

#: Each stage, and what its floor is.
STAGES = {
    "decode": "libjpeg-turbo's scaled decoding",
    "resample": "cykooz-resizer, into images that are there",
    "encode": "libjpeg-turbo, of ready pixels",
    "all of these, and what is between them": "the three floors together",
    "resample and sharpen, 1600 px": "cykooz-resizer, and Pillow's unsharp mask",
    "encode, PNG of 1600 × 900": "zlib's RLE alone, of filtered lines",
    "store": "write, fsync, rename",
    "store, beside": "write, fsync, rename, fsync of the folder",
}
DECODE, RESAMPLE, ENCODE, ALL, SHARPEN, PNG, STORE, STORE_SYNCED = STAGES
PNG_DEFAULT = "PNG by Pillow's default"

#: Seconds by stage.
Times = Mapping[str, float]
#: What one side takes for a photo.
Side = Callable[["Ready"], Times]


@dataclass(frozen=True)
class Ready:
    """A photo, with what was made of it beforehand."""

    photo: Path
    files: Sequence[bytes]
    #: Of 1600 × 900, ours and Pillow's default.
    png: bytes
    png_by_default: bytes

    @property
    def png_pixels(self) -> Image.Image:
        with Image.open(BytesIO(self.png)) as image:
            image.load()
            return image


def measure(options: Options) -> Section:
    photos = corpus.photos()[::EVERY][: 2 if options.quick else None]
    ready = [_ready(photo) for photo in photos]
    with scratch("stages") as folder, asyncio.Runner() as runner:
        storage = LocalFolder(folder / "storage", BUFFER_BYTES)
        sides = _ours(runner, storage), _floor(folder)
        try:
            rounds = [_round(number, ready, sides) for number in range(options.rounds)]
        finally:
            storage.close()
    ours, floor = ([one[side] for one in rounds] for side in (0, 1))
    tables = [_table(ours, floor, len(photos)), _png_table(ours, floor, ready)]
    return Section("Stages", tables, _goals(ours, floor, ready))


def _ready(photo: Path) -> Ready:
    usual, (wide,) = _rendered(photo, RECIPES), _rendered(photo, [WIDE])
    with Image.open(BytesIO(wide)) as pixels:
        default = floors.png_by_default(pixels)
    return Ready(photo, usual, wide, default)


def _rendered(photo: Path, recipes: Sequence[Recipe]) -> list[bytes]:
    return [step.variant.data for step in steps(photo, probe(photo, Limits()), recipes)]


def _round(number: int, ready: Sequence[Ready], sides: Sequence[Side]) -> tuple[Times, Times]:
    """The mean times of both sides."""
    sums: tuple[dict[str, float], dict[str, float]] = (defaultdict(float), defaultdict(float))
    for photo in ready:
        for side in in_turn(number, (0, 1)):
            for stage, seconds in sides[side](photo).items():
                sums[side][stage] += seconds / len(ready)
    print(f"stages: round {number + 1}", file=sys.stderr)
    return sums


def _ours(runner: asyncio.Runner, storage: LocalFolder) -> Side:
    def measured(ready: Ready) -> Times:
        usual = _piped(ready.photo, RECIPES)
        stored = runner.run(_stored(storage, ready.files))
        return {
            DECODE: usual["decode"],
            RESAMPLE: usual["transform"],
            ENCODE: usual["encode"],
            ALL: usual[ALL],
            SHARPEN: _piped(ready.photo, [SHARPENED])["transform"],
            PNG: _piped(ready.photo, [WIDE])["encode"],
            STORE: stored,
            STORE_SYNCED: stored,
        }

    return measured


def _piped(photo: Path, recipes: Sequence[Recipe]) -> Times:
    """What the pipeline's own stages take, and all of it."""
    times: dict[str, float] = defaultdict(float)
    start = perf_counter()
    for step in steps(photo, probe(photo, Limits()), recipes):
        for stage, _, seconds in step.stages:
            times[stage] += seconds
    times[ALL] = perf_counter() - start
    return times


async def _stored(storage: LocalFolder, files: Sequence[bytes]) -> float:
    """As the service stores variants: one after the other, in a folder of the picture's own."""
    image_id, start = uuid4().hex, perf_counter()
    for number, data in enumerate(files):
        await storage.put(f"{image_id}/{number}", _once(data))
    return perf_counter() - start


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _floor(folder: Path) -> Side:
    def measured(ready: Ready) -> Times:
        image = floors.decode(ready.photo)
        targets = [_blank(image, size) for size in SIZES]
        lines, wide = floors.lines_of(ready.png), ready.png_pixels
        times = {  # in this order: what is encoded was resampled before
            DECODE: seconds_of(lambda: floors.decode(ready.photo)),
            RESAMPLE: seconds_of(lambda: floors.resample(image, targets)),
            ENCODE: seconds_of(lambda: floors.encode(targets)),
            SHARPEN: seconds_of(lambda: _sharpened(image, targets[0])),
            PNG: seconds_of(lambda: floors.pack(lines)),
            PNG_DEFAULT: seconds_of(lambda: floors.png_by_default(wide)),
        }
        for stage, name_too in ((STORE, False), (STORE_SYNCED, True)):
            place = Path(mkdtemp(dir=folder))
            times[stage] = seconds_of(partial(floors.store, place, ready.files, name_too=name_too))
        return {**times, ALL: times[DECODE] + times[RESAMPLE] + times[ENCODE]}

    return measured


def _blank(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    return Image.new("RGB", (round(image.width * scale), round(image.height * scale)))


def _sharpened(image: Image.Image, target: Image.Image) -> Image.Image:
    floors.resample(image, [target])
    return target.filter(MASK)


def _table(ours: Sequence[Times], floor: Sequence[Times], photos: int) -> Table:
    rows = []
    for stage, meaning in STAGES.items():
        mine, least = _milliseconds(ours, stage), _milliseconds(floor, stage)
        ratio = Spread.of_ratios(mine, least)
        rows.append((stage, Spread.of(mine).text(), Spread.of(least).text(), ratio.text(), meaning))
    caption = (
        f"One thread, means over {photos} photos; 1600, 800 and 200 px, JPEG q82, if not said:"
    )
    return Table(caption, ("stage", "ms a photo", "floor, ms", "ratio", "the floor is"), rows)


def _milliseconds(rounds: Sequence[Times], stage: str) -> list[float]:
    return [times[stage] * 1e3 for times in rounds]


def _png_table(ours: Sequence[Times], floor: Sequence[Times], ready: Sequence[Ready]) -> Table:
    rows = [
        (OURS, Spread.of(_milliseconds(ours, PNG)).text(), f"{_mean_kb(ready, 'png'):.0f}"),
        (
            "Pillow's default, level 6",
            Spread.of(_milliseconds(floor, PNG_DEFAULT)).text(),
            f"{_mean_kb(ready, 'png_by_default'):.0f}",
        ),
    ]
    return Table("A photo of 1600 × 900 px as PNG:", ("encoder", "ms", "kB"), rows)


def _mean_kb(ready: Sequence[Ready], name: str) -> float:
    return fmean(len(getattr(one, name)) / 1e3 for one in ready)


def _goals(ours: Sequence[Times], floor: Sequence[Times], ready: Sequence[Ready]) -> list[Goal]:
    """PNG takes a third of what it takes by default, and is at most a tenth heavier."""
    times = Spread.of_ratios(_milliseconds(ours, PNG), _milliseconds(floor, PNG_DEFAULT))
    weight = Spread.of([_mean_kb(ready, "png") / _mean_kb(ready, "png_by_default")])
    name = f"PNG, {OURS} / Pillow's default"
    return [
        Goal(f"{name}: time", times, at_most=0.33),
        Goal(f"{name}: bytes", weight, at_most=1.1),
    ]
