"""What a file is made like: its quality, its palette, its frames."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import blurhash
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from bench.ssim import ssim
from service.errors import BadPipeline
from service.imaging import Limits, Probe, Recipe, Rendered, plan, probe, quality, render
from service.imaging.colours import is_drawing
from service.imaging.encode import encode
from service.imaging.presets import Format
from service.imaging.quality import HIGHEST, LOWEST, MAX_ENCODINGS, encoded
from service.imaging.ssim import plane, similarity
from service.imaging.words import Crop, Gravity, Resize, Trim
from tests import pictures
from tests.pictures import photo, picture_bytes
from tests.unit.imaging.similar import difference, furthest


def rough(size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A picture with grain, which costs an encoder bytes."""
    dice = random.Random(3)
    grain = Image.frombytes("RGB", size, dice.randbytes(size[0] * size[1] * 3))
    return Image.blend(photo(size), grain, 0.2)


def recipe(**fields: Any) -> Recipe:
    return Recipe(name="v", **fields)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def rendered(tmp_path: Path, data: bytes, wanted: Sequence[Recipe]) -> list[Rendered]:
    stored = tmp_path / "original"
    stored.write_bytes(data)
    return list(render(stored, probe(stored, Limits()), wanted))


@pytest.mark.parametrize("level", [10, 50, 90])
@pytest.mark.parametrize("size", [(320, 240), (101, 67), (7, 5)])
def test_likeness_is_near_that_of_the_usual_window(level: int, size: tuple[int, int]) -> None:
    picture, file = rough(size), io.BytesIO()
    picture.save(file, "JPEG", quality=level)
    other = Image.open(file).convert("RGB")
    found = similarity(plane(picture), plane(other))
    if min(size) >= 8:
        usual = ssim(*(np.asarray(image.convert("L")) for image in (picture, other)))
        assert found == pytest.approx(usual, abs=0.02)
    assert 0 < found < 1
    assert similarity(plane(picture), plane(picture)) == pytest.approx(1)


@pytest.mark.parametrize("picture_format", ["jpeg", "webp", "avif"])
def test_the_lowest_quality_that_is_alike_enough(picture_format: Format) -> None:
    picture = rough()
    found = encoded(picture, picture_format, recipe(similarity=0.9))
    assert found.quality is not None
    assert found.score is not None
    assert found.score >= 0.9
    assert LOWEST < found.quality < HIGHEST
    seen = plane(opened(found.data).convert("RGB"))
    assert similarity(plane(picture), seen) == pytest.approx(found.score, abs=0.0001)
    worse = encode(picture, picture_format, recipe(), found.quality - 3)
    assert similarity(plane(picture), plane(opened(worse).convert("RGB"))) < found.score


def test_where_no_quality_is_alike_enough_the_highest_is_taken() -> None:
    found = encoded(rough(), "jpeg", recipe(similarity=0.999))
    assert found.quality == HIGHEST
    assert found.score is not None
    assert found.score < 0.999


@pytest.mark.parametrize("picture_format", ["jpeg", "webp", "avif"])
def test_a_file_has_at_most_its_bytes(picture_format: Format) -> None:
    picture = rough()
    free = encoded(picture, picture_format, recipe())
    found = encoded(picture, picture_format, recipe(max_bytes=len(free.data) * 2 // 3))
    assert len(found.data) <= len(free.data) * 2 // 3
    assert found.quality is not None
    assert 1 < found.quality < 82
    larger = encode(picture, picture_format, recipe(), found.quality + 1)
    assert len(larger) > len(free.data) * 2 // 3
    assert encoded(picture, picture_format, recipe(max_bytes=len(free.data))).quality == 82


def test_bytes_come_before_likeness_and_one_is_the_lowest() -> None:
    both = encoded(rough(), "jpeg", recipe(similarity=0.95, max_bytes=9_000))
    assert len(both.data) <= 9_000
    assert encoded(rough(), "jpeg", recipe(max_bytes=256)).quality == 1


def test_encodings_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def counting(image: Image.Image, fmt: Format, how: Recipe, level: int) -> bytes:
        tried.append(level)
        return encode(image, fmt, how, level)

    monkeypatch.setattr(quality, "encode", counting)
    for target in (0.5, 0.8, 0.93, 0.999):
        tried.clear()
        encoded(photo(), "jpeg", recipe(similarity=target, max_bytes=256))
        assert len(tried) <= 2 * MAX_ENCODINGS
        assert len(set(tried)) >= len(tried) - 1


def test_costly_searches_are_refused() -> None:
    header = Probe("jpeg", "image/jpeg", 6_000, 4_000, 1, 1, alpha=False)
    assert plan(header, recipe(format="webp")).width == 6_000
    with pytest.raises(BadPipeline, match="work"):
        plan(header, recipe(format="webp", similarity=0.95))
    small = Resize(width=1_600, height=1_600)
    wanted = recipe(operations=(small,), format="webp", similarity=0.95, max_bytes=9_000)
    assert plan(header, wanted).width == 1_600


def test_png_of_a_photograph_and_of_a_drawing_is_exact() -> None:
    drawing = Image.new("RGB", (300, 200), "white")
    drawing.paste((200, 10, 10), (20, 20, 100, 100))
    assert is_drawing(drawing)
    assert not is_drawing(rough())
    for picture in (drawing, rough(), photo(mode="RGBA")):
        file = opened(encode(picture, "png", recipe()))
        assert furthest(file.convert(picture.mode), picture) == 0


def test_a_palette_has_no_more_colours_than_asked_for() -> None:
    for picture_format in ("png", "gif"):
        file = opened(encode(photo((120, 80)), picture_format, recipe(colors=16)))
        assert file.mode == "P"
        assert len(file.convert("RGB").getcolors(300) or range(300)) <= 16
        assert difference(file.convert("RGB"), photo((120, 80))) < 30
    assert opened(encode(photo(), "png", recipe(colors=2))).mode == "P"
    clear = opened(encode(photo(mode="RGBA"), "png", recipe(colors=64))).convert("RGBA")
    assert clear.getpixel((0, 0)) == (0, 0, 0, 0) or clear.getchannel("A").getpixel((0, 0)) == 0


def test_webp_without_loss_and_jpeg_in_passes_with_full_colour() -> None:
    exact = encoded(rough(), "webp", recipe(lossless=True))
    assert exact.quality is None
    assert furthest(opened(exact.data).convert("RGB"), rough()) == 0
    file: Any = opened(encode(rough(), "jpeg", recipe(progressive=True, chroma="4:4:4")))
    assert file.info["progressive"]
    assert file.layer[0][1:3] == (1, 1)
    usual: Any = opened(encode(rough(), "jpeg", recipe()))
    assert "progressive" not in usual.info
    assert usual.layer[0][1:3] == (2, 2)


@pytest.mark.parametrize("source", ["gif", "png", "webp"])
@pytest.mark.parametrize("target", ["gif", "png", "webp", "auto"])
def test_a_moving_picture_keeps_its_frames_and_times(
    tmp_path: Path, source: str, target: Any
) -> None:
    data = pictures.animation(5, source, size=(16, 12))
    wanted = recipe(operations=(Resize(width=8),), format=target, animated=True, quality=95)
    (variant,) = rendered(tmp_path, data, [wanted])
    file: Any = opened(variant.data)
    assert (file.size, file.n_frames) == ((8, 6), 5)
    assert variant.format == ("webp" if target == "auto" else target)
    for number in range(5):
        file.seek(number)
        file.load()
        assert file.info["duration"] == 40
        even = Image.new("RGB", (8, 6), (200, 10, 60 * number % 250))
        assert difference(file.convert("RGB"), even) < 12


def test_a_picture_moves_only_where_it_is_asked_and_can(tmp_path: Path) -> None:
    data = pictures.animation(4, size=(30, 20))
    smart = Crop(aspect=1, gravity=Gravity.SMART)
    for still in (
        recipe(format="webp"),
        recipe(format="jpeg", animated=True),
        recipe(format="webp", animated=True, operations=(Trim(),)),
        recipe(format="webp", animated=True, operations=(smart,)),
    ):
        (variant,) = rendered(tmp_path, data, [still])
        assert getattr(opened(variant.data), "n_frames", 1) == 1


def test_a_transparent_animation_stays_so(tmp_path: Path) -> None:
    frames = [Image.new("RGBA", (20, 20), (255, 0, 0, 255 * (n % 2))) for n in range(4)]
    for number, frame in enumerate(frames):
        frame.paste((0, 0, 255, 255), (number, 0, number + 5, 5))
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    for target in ("webp", "gif", "png"):
        wanted = recipe(format=target, animated=True, lossless=True)
        (variant,) = rendered(tmp_path, file.getvalue(), [wanted])
        made: Any = opened(variant.data)
        assert made.n_frames == 4
        made.seek(2)
        seen = made.convert("RGBA")
        assert seen.getpixel((3, 2))[2:] == (255, 255)
        assert seen.getpixel((15, 15))[3] == 0


def test_too_many_frames_leave_the_first() -> None:
    header = Probe("gif", "image/gif", 1_000, 1_000, 1, 25, alpha=False)
    assert plan(header, recipe(animated=True)).moves
    longer = Probe("gif", "image/gif", 1_000, 1_000, 1, 26, alpha=False)
    assert not plan(longer, recipe(animated=True)).moves
    assert plan(longer, recipe(animated=True, operations=(Resize(width=500),))).moves


def test_a_broken_frame_is_a_broken_picture(tmp_path: Path) -> None:
    data = pictures.animation(6, "png", size=(64, 64))
    stored = tmp_path / "original"
    stored.write_bytes(data)
    header = probe(stored, Limits())
    at = data.rindex(b"fdAT")
    stored.write_bytes(data[: at + 8] + b"\xff" * (len(data) - at - 8))
    with pytest.raises(Exception, match="decoded"):
        list(render(stored, header, [recipe(animated=True)]))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_blur_shows_the_picture_upright(tmp_path: Path, orientation: int) -> None:
    upright = photo((300, 200))
    data = pictures.encoded(
        pictures.stored_turned(upright, orientation), "jpeg", orientation=orientation
    )
    (variant,) = rendered(tmp_path, data, [recipe(operations=(Resize(width=50, height=50),))])
    assert variant.blurhash is not None
    assert len(variant.blurhash) == 28
    pixels = blurhash.decode(variant.blurhash, 12, 8)
    shown = Image.frombytes(
        "RGB", (12, 8), bytes(int(level) for row in pixels for pixel in row for level in pixel)
    )
    assert difference(shown, upright.resize((12, 8), Image.Resampling.BOX)) < 32


def test_the_blur_of_a_thread_of_pixels(tmp_path: Path) -> None:
    for size in ((900, 1), (1, 900), (1, 1)):
        data = picture_bytes("RGBA", size, "png")
        (variant,) = rendered(tmp_path, data, [recipe()])
        assert variant.blurhash


@pytest.mark.parametrize(
    "fields",
    [
        {"similarity": 0.4},
        {"similarity": 1},
        {"max_bytes": 255},
        {"colors": 1},
        {"colors": 257},
        {"chroma": "4:1:1"},
        {"format": "tiff"},
    ],
)
def test_outputs_out_of_bounds_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        recipe(**fields)
