"""What a run is said to take, held against what a fresh process really takes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from PIL import Image

from service.imaging import DEFAULT_PRESETS, Limits, Pipeline, peak_bytes, probe
from tests.pictures import encoded, photo, swapped_profile

#: Three megapixels: what Python itself takes does not count beside it.
SIZE = (2000, 1500)
#: Renders files in processes of their own, and says of each how much it grew at most.
GROWN = """
import json, os, re, sys
from pathlib import Path
from service.imaging import Limits, Pipeline, probe, render

def seen(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

for line in sys.stdin:
    if os.fork():
        os.wait()
        continue
    path, pipeline = json.loads(line)
    found, recipes = probe(Path(path), Limits()), Pipeline.model_validate(pipeline).variants
    Path("/proc/self/clear_refs").write_text("5")
    before = seen("VmRSS")
    for _ in render(Path(path), found, recipes):
        pass
    print(seen("VmHWM") - before, flush=True)
    os._exit(0)
"""
PRESETS = Pipeline(variants=tuple(DEFAULT_PRESETS.values()))


def full(picture_format: str, *operations: dict[str, Any]) -> Pipeline:
    recipe = {"name": "full", "format": picture_format, "operations": operations}
    return Pipeline.model_validate({"variants": [recipe]})


BLUR = {"op": "blur", "radius": 2}
SQUARE = {"op": "resize", "width": 2000, "height": 2000, "fit": "contain"}
TWO = Pipeline(
    variants=(
        *full("jpeg").variants,
        full("jpeg", BLUR).variants[0].model_copy(update={"name": "blurred"}),
    )
)


def noisy(mode: str) -> Image.Image:
    """As hard on encoders as a picture can be."""
    bands = [Image.effect_noise(SIZE, 80) for _ in mode]
    return Image.merge(mode, bands)


def jpeg(mode: str = "RGB", **options: Any) -> Callable[[], bytes]:
    return lambda: encoded(photo(SIZE, mode), "jpeg", **options)


def png(mode: str, **options: Any) -> Callable[[], bytes]:
    return lambda: encoded(photo(SIZE, mode), "png", compress_level=1, **options)


Measuring = Callable[[Path, Pipeline], int]


@pytest.fixture(scope="module")
def measuring() -> Iterator[Measuring]:
    """Measures how much a process grows that renders a file."""
    command = [sys.executable, "-c", GROWN]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        asked, told = process.stdin, process.stdout
        assert asked
        assert told

        def measure(path: Path, pipeline: Pipeline) -> int:
            print(json.dumps([str(path), pipeline.model_dump(mode="json")]), file=asked, flush=True)
            return int(told.readline())

        yield measure
        asked.close()


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells the peak")
@pytest.mark.parametrize(
    ("file", "pipeline"),
    [
        pytest.param(jpeg(), full("jpeg"), id="jpeg"),
        pytest.param(jpeg(orientation=6), full("jpeg", BLUR), id="turned"),
        pytest.param(jpeg("CMYK"), TWO, id="cmyk"),
        pytest.param(jpeg(progressive=True, subsampling="4:4:4"), PRESETS, id="progressive"),
        pytest.param(png("RGB"), PRESETS, id="png"),
        pytest.param(png("RGBA"), PRESETS, id="rgba"),
        pytest.param(png("RGBA"), full("png", SQUARE), id="padded"),
        pytest.param(png("P"), PRESETS, id="palette"),
        pytest.param(png("LA"), PRESETS, id="la"),
        pytest.param(png("RGB", icc=swapped_profile()), full("jpeg"), id="profile"),
        pytest.param(png("RGBA", icc=swapped_profile()), full("jpeg"), id="rgba-profile"),
        pytest.param(lambda: encoded(noisy("RGB"), "png"), full("webp"), id="noise-to-webp"),
        pytest.param(lambda: encoded(noisy("RGBA"), "png"), full("avif"), id="noise-to-avif"),
        pytest.param(lambda: encoded(photo(SIZE), "webp", method=0), PRESETS, id="webp"),
        pytest.param(lambda: encoded(photo(SIZE), "avif", speed=10), PRESETS, id="avif"),
        pytest.param(
            lambda: encoded(photo(SIZE), "tiff", compression="tiff_lzw"), PRESETS, id="tiff"
        ),
    ],
)
def test_a_run_takes_no_more_than_foretold_and_at_least_half(
    file: Callable[[], bytes], pipeline: Pipeline, measuring: Measuring, tmp_path: Path
) -> None:
    path = tmp_path / "picture"
    path.write_bytes(file())

    foretold = peak_bytes(path, probe(path, Limits()), pipeline.variants)
    measured = measuring(path, pipeline)

    assert measured <= foretold
    assert foretold <= 2.1 * measured + 2**20


def test_what_cannot_be_opened_is_left_to_the_run_to_say(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(encoded(photo(), "png"))
    found = probe(path, Limits())
    path.write_bytes(b"no picture at all")

    assert peak_bytes(path, found, PRESETS.variants) > 0
