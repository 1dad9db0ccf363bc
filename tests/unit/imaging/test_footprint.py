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

from service.imaging import DEFAULT_PRESETS, Limits, Pipeline, Recipe, peak_bytes, probe, words
from tests.pictures import encoded, photo, swapped_profile
from tests.unit.imaging.examples import ALL, name_of

#: Three megapixels: what Python itself takes does not count beside it.
SIZE = (2000, 1500)
#: Renders files in processes of their own, and says of each how much it grew at most.
GROWN = """
import contextlib, json, os, re, sys
from pathlib import Path
from service.imaging import Limits, Pipeline, probe, render

def seen(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

with contextlib.suppress(ImportError):  # what a library takes is taken once
    import pillow_heif

for line in sys.stdin:
    if os.fork():
        os.wait()
        continue
    path, pipeline, marks = json.loads(line)
    limits = Limits(formats=frozenset({*Limits().formats, "heic"}))
    found, recipes = probe(Path(path), limits), Pipeline.model_validate(pipeline).variants
    Path("/proc/self/clear_refs").write_text("5")
    before = seen("VmRSS")
    for _ in render(Path(path), found, recipes, watermarks=Path(marks)):
        pass
    print(seen("VmHWM") - before, flush=True)
    os._exit(0)
"""
PRESETS = Pipeline(variants=tuple(DEFAULT_PRESETS.values()))
#: The same as JPEG, which takes as much of any picture.
JPEGS = Pipeline(
    variants=tuple(one.model_copy(update={"format": "jpeg"}) for one in DEFAULT_PRESETS.values())
)


def full(picture_format: str, *operations: dict[str, Any]) -> Pipeline:
    recipe = {"name": "full", "format": picture_format, "operations": operations}
    return Pipeline.model_validate({"variants": [recipe]})


def flat() -> Image.Image:
    """A picture that is kept without loss where the format is left open."""
    picture = Image.new("RGB", SIZE, "white")
    for n in range(40):
        picture.paste((6 * n, 90, 160), (50 * n, 30 * n, 50 * n + 30, SIZE[1]))
    return picture


BLUR = {"op": "blur", "radius": 2}
SQUARE = {"op": "resize", "width": 2000, "height": 2000, "fit": "contain"}
TWO = Pipeline(
    variants=(
        *full("jpeg").variants,
        full("jpeg", BLUR).variants[0].model_copy(update={"name": "blurred"}),
    )
)


#: What costs most of operations whose examples cost less.
LARGE: tuple[words.Operation, ...] = (
    words.Resize(width=2000, height=2000, fit=words.Fit.CONTAIN, background="blur"),
    words.Resize(width=1000),
    words.Crop(width=1500, height=1000, gravity=words.Gravity.SMART),
    words.Pad(top=400, background="blur"),
    words.Rotate(angle=30),
    words.Shadow(blur=20, background="#ffffff"),
    words.RoundCorners(share=1),
    words.Denoise(passes=2),
    words.Convolve(kernel=(1,) * 25),
    words.Watermark(image="logo", scale=1, blend=words.Blend.OVERLAY),
    words.Text(text="Pixmill", size=40, tile=True),
)
OUTPUTS: tuple[dict[str, Any], ...] = (
    {"format": "jpeg", "progressive": True, "chroma": "4:4:4"},
    {"format": "jpeg", "similarity": 0.9},
    {"format": "jpeg", "max_bytes": 500_000},
    {"format": "webp", "lossless": True},
    {"format": "avif", "chroma": "4:4:4"},
    {"format": "png", "colors": 64},
    {"format": "gif"},
)


def noisy(mode: str, size: tuple[int, int] = SIZE) -> Image.Image:
    """As hard on encoders as a picture can be."""
    bands = [Image.effect_noise(size, 80) for _ in mode]
    return Image.merge(mode, bands)


def jpeg(mode: str = "RGB", **options: Any) -> Callable[[], bytes]:
    return lambda: encoded(photo(SIZE, mode), "jpeg", **options)


def png(mode: str, **options: Any) -> Callable[[], bytes]:
    return lambda: encoded(photo(SIZE, mode), "png", compress_level=1, **options)


#: Finds a noisy picture of a mode.
Stored = Callable[[str], Path]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    folder = tmp_path_factory.mktemp("noise")

    def find(mode: str) -> Path:
        path = folder / mode
        if not path.exists():
            path.write_bytes(encoded(noisy(mode, (1500, 1000)), "png", compress_level=0))
        return path

    return find


on_linux = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="Linux tells the peak"
)
Measuring = Callable[[Path, Pipeline, Path], int]


@pytest.fixture(scope="module")
def measuring() -> Iterator[Measuring]:
    """Measures how much a process grows that renders a file."""
    command = [sys.executable, "-c", GROWN]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        asked, told = process.stdin, process.stdout
        assert asked
        assert told

        def measure(path: Path, pipeline: Pipeline, marks: Path) -> int:
            order = [str(path), pipeline.model_dump(mode="json"), str(marks)]
            print(json.dumps(order), file=asked, flush=True)
            return int(told.readline())

        yield measure
        asked.close()


@on_linux
@pytest.mark.parametrize(
    ("file", "pipeline"),
    [
        pytest.param(jpeg(), full("jpeg"), id="jpeg"),
        pytest.param(jpeg(orientation=6), full("jpeg", BLUR), id="turned"),
        pytest.param(jpeg("CMYK"), TWO, id="cmyk"),
        pytest.param(jpeg(progressive=True, subsampling="4:4:4"), PRESETS, id="progressive"),
        pytest.param(png("RGB"), JPEGS, id="png"),
        pytest.param(png("RGBA"), PRESETS, id="rgba"),
        pytest.param(png("RGBA"), full("png", SQUARE), id="padded"),
        pytest.param(png("P"), JPEGS, id="palette"),
        pytest.param(png("LA"), PRESETS, id="la"),
        pytest.param(png("RGB", icc=swapped_profile()), full("jpeg"), id="profile"),
        pytest.param(png("RGBA", icc=swapped_profile()), full("jpeg"), id="rgba-profile"),
        pytest.param(lambda: encoded(noisy("RGB"), "png"), full("webp"), id="noise-to-webp"),
        pytest.param(lambda: encoded(flat(), "png"), full("auto"), id="flat-without-loss"),
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
    measured = measuring(path, pipeline, tmp_path)

    assert measured <= foretold
    assert foretold <= 2.1 * measured + 2**20


@on_linux
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_heic_takes_no_more_than_foretold(mode: str, measuring: Measuring, tmp_path: Path) -> None:
    from tests.heic import heic  # skips where its library is missing

    path = tmp_path / "picture"
    path.write_bytes(heic(noisy(mode)))

    foretold = peak_bytes(path, probe(path, Limits(formats=frozenset({"heic"}))), PRESETS.variants)

    assert measuring(path, PRESETS, tmp_path) <= foretold


@pytest.fixture(scope="module")
def marks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("marks")
    (folder / "logo.png").write_bytes(encoded(photo((400, 200), "RGBA"), "png"))
    return folder


@on_linux
@pytest.mark.parametrize(
    ("operation", "mode"),
    [(one, "RGBA") for one in ({one.op: one for one in (*ALL, *LARGE)}).values()]
    + [(one, "RGB") for one in LARGE],
    ids=lambda one: one if isinstance(one, str) else name_of(one),
)
def test_an_operation_takes_no_more_than_foretold(
    operation: words.Operation, mode: str, measuring: Measuring, marks: Path, stored: Stored
) -> None:
    path = stored(mode)
    # Two of them: the second is given what the first has made, while the picture is still held.
    recipe = Recipe(name="full", format="png", operations=(words.Gamma(gamma=1.1), operation))
    pipeline = Pipeline(variants=(recipe,))

    foretold = peak_bytes(path, probe(path, Limits()), pipeline.variants, marks)

    assert measuring(path, pipeline, marks) <= foretold


@on_linux
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("recipe", OUTPUTS, ids=lambda one: "-".join(map(str, one.values())))
def test_an_encoder_takes_no_more_than_foretold(
    recipe: dict[str, Any], mode: str, measuring: Measuring, stored: Stored
) -> None:
    path = stored(mode)
    pipeline = Pipeline.model_validate({"variants": [{"name": "full", **recipe}]})

    foretold = peak_bytes(path, probe(path, Limits()), pipeline.variants)

    assert measuring(path, pipeline, path.parent) <= foretold


@on_linux
@pytest.mark.parametrize("target", ["gif", "webp", "png"])
@pytest.mark.parametrize("source", ["gif", "webp"])
def test_a_moving_picture_takes_no_more_than_foretold(
    source: str, target: str, measuring: Measuring, tmp_path: Path
) -> None:
    path = tmp_path / "picture"
    first, *others = (photo((400, 300)).rotate(angle) for angle in range(0, 360, 18))
    path.write_bytes(encoded(first, source, save_all=True, append_images=others, duration=50))
    pipeline = full(target).model_dump(mode="json")
    pipeline["variants"][0]["animated"] = True
    moving = Pipeline.model_validate(pipeline)

    foretold = peak_bytes(path, probe(path, Limits()), moving.variants)
    measured = measuring(path, moving, tmp_path)

    assert measured <= foretold
    assert foretold <= 4 * measured + 2**20


@on_linux
@pytest.mark.parametrize("moves", [False, True], ids=["last", "all"])
@pytest.mark.parametrize(
    ("source", "mode", "count", "options"),
    [
        pytest.param("gif", "P", 3, {"disposal": 3}, id="gif"),
        pytest.param("png", "RGBA", 3, {"disposal": 2, "blend": 1, "compress_level": 0}, id="png"),
        pytest.param("webp", "RGBA", 3, {"method": 0}, id="webp"),
        pytest.param("avif", "RGBA", 10, {"speed": 10, "subsampling": "4:4:4"}, id="avif"),
        pytest.param("tiff", "RGB", 3, {"compression": "tiff_lzw"}, id="tiff"),
    ],
)
def test_later_frames_take_no_more_than_foretold(
    source: str,
    mode: str,
    count: int,
    options: dict[str, Any],
    moves: bool,
    measuring: Measuring,
    tmp_path: Path,
) -> None:
    path = tmp_path / "picture"
    first, *others = (photo((1000, 800), mode).rotate(9 * n) for n in range(count))
    path.write_bytes(encoded(first, source, save_all=True, append_images=others, **options))
    small = full("webp", {"op": "resize", "width": 100}).variants[0]
    fields = {"animated": True} if moves else {"frame": count}
    last = small.model_copy(update={"name": "last", **fields})
    pipeline = Pipeline(variants=(small, last))

    foretold = peak_bytes(path, probe(path, Limits()), pipeline.variants)
    measured = measuring(path, pipeline, tmp_path)

    assert measured <= foretold
    assert foretold <= 4 * measured + 2**20


@on_linux
def test_pages_of_other_modes_than_the_first_take_no_more_than_foretold(
    measuring: Measuring, tmp_path: Path
) -> None:
    path = tmp_path / "picture"
    bits, colours = noisy("L").convert("1"), noisy("RGBA")
    path.write_bytes(encoded(bits, "tiff", save_all=True, append_images=[colours]))
    page = full("png", BLUR).variants[0].model_copy(update={"frame": 2})
    pipeline = Pipeline(variants=(page,))

    foretold = peak_bytes(path, probe(path, Limits()), pipeline.variants)

    assert measuring(path, pipeline, tmp_path) <= foretold


def thin() -> Image.Image:
    return noisy("RGB", (8_192, 2))


def framed() -> Image.Image:
    """A narrow picture in a wide white frame."""
    white = Image.new("RGB", (400, 400), "white")
    white.paste(noisy("RGB", (25, 350)), (100, 20))
    return white


LEANING = {"op": "text", "text": "W" * 200, "size": 500, "angle": 45, "margin": 0}
SMART = {"op": "resize", "width": 90, "height": 90, "fit": "cover", "gravity": "smart"}
SMART |= {"enlarge": True}
ACROSS = {"op": "resize", "width": 2, "height": 8_192, "fit": "fill", "enlarge": True}


@on_linux
@pytest.mark.parametrize(
    ("picture", "recipe"),
    [
        pytest.param(thin, {"operations": [LEANING]}, id="thin-text"),
        pytest.param(thin, {"operations": [SMART]}, id="thin-smart"),
        pytest.param(thin, {"operations": [ACROSS]}, id="thin-the-other-way"),
        pytest.param(thin, {"operations": [{"op": "invert"}, ACROSS]}, id="thin-later"),
        pytest.param(thin, {"format": "avif"}, id="thin-avif"),
        pytest.param(thin, {"operations": [{"op": "pixelate", "size": 1_024}]}, id="thin-squares"),
        pytest.param(
            framed,
            {
                "operations": [{"op": "trim"}, {"op": "resize", "width": 400, "enlarge": True}],
                "format": "webp",
            },
            id="trimmed-and-enlarged",
        ),
    ],
)
def test_an_odd_shape_takes_no_more_than_foretold(
    picture: Callable[[], Image.Image],
    recipe: dict[str, Any],
    measuring: Measuring,
    tmp_path: Path,
) -> None:
    path = tmp_path / "picture"
    path.write_bytes(encoded(picture(), "png"))
    pipeline = Pipeline.model_validate({"variants": [{"name": "odd", **recipe}]})

    foretold = peak_bytes(path, probe(path, Limits()), pipeline.variants)

    assert measuring(path, pipeline, tmp_path) <= foretold


def test_what_cannot_be_opened_is_left_to_the_run_to_say(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(encoded(photo(), "png"))
    found = probe(path, Limits())
    path.write_bytes(b"no picture at all")

    assert peak_bytes(path, found, PRESETS.variants) > 0
