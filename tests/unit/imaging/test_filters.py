"""Operations on neighbourhoods, and what is laid over a picture."""

from __future__ import annotations

import random
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from PIL import Image, ImageFilter
from pydantic import ValidationError

from service.errors import BadPipeline
from service.imaging import marks, words
from service.imaging.operations import apply
from service.imaging.operations.alpha import strips
from service.imaging.presets import Recipe
from service.imaging.words import Gravity
from tests.pictures import photo
from tests.unit.imaging.similar import difference, furthest


def noisy(size: tuple[int, int] = (31, 23)) -> Image.Image:
    picture, dice = photo(size), random.Random(5)
    for _ in range(60):
        at = (dice.randrange(size[0]), dice.randrange(size[1]))
        picture.putpixel(at, tuple(dice.randrange(256) for _ in range(3)))
    return picture


def test_denoise_is_the_median_of_nine() -> None:
    picture = noisy()
    found = apply(picture, words.Denoise())
    expected = picture.filter(ImageFilter.MedianFilter(3))
    assert furthest(found, expected) == 0


def test_denoise_of_a_corner_repeats_its_edge() -> None:
    gray = Image.new("L", (3, 3))
    gray.putdata([9, 1, 2, 3, 4, 5, 6, 7, 8])
    corner = apply(gray.convert("RGB"), words.Denoise()).getpixel((0, 0))
    assert corner == (median([9, 9, 1, 9, 9, 1, 3, 3, 4]),) * 3


def test_strips_are_worked_on_as_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = apply(noisy(), words.Denoise(passes=2))
    monkeypatch.setattr("service.imaging.operations.alpha.STRIP_PIXELS", 31 * 5)
    assert len(list(strips((31, 23)))) == 5
    assert furthest(apply(noisy(), words.Denoise(passes=2)), whole) == 0


def test_pixelate_makes_even_squares() -> None:
    squares = apply(photo((50, 31)), words.Pixelate(size=8))
    assert squares.size == (50, 31)
    for box in ((0, 0, 8, 8), (40, 24, 48, 31), (48, 0, 50, 8)):
        (only,) = squares.crop(box).getcolors(9) or [None]
        assert only is not None


def test_edges_of_an_even_picture_are_black() -> None:
    even = Image.new("RGB", (20, 20), (90, 120, 150))
    assert set(apply(even, words.Edge()).tobytes()) == {0}
    assert set(apply(even, words.Emboss()).tobytes()) == {128}


def test_a_kernel_is_read_from_the_top_left() -> None:
    picture = photo((40, 30))
    upper_left = words.Convolve(kernel=(1, 0, 0, 0, 0, 0, 0, 0, 0))
    moved = apply(picture, upper_left).crop((1, 1, 40, 30))
    assert furthest(moved, picture.crop((0, 0, 39, 29))) == 0
    second_above = words.Convolve(kernel=(0, 0, 1, *(0,) * 22))
    moved = apply(picture, second_above).crop((0, 2, 40, 30))
    assert furthest(moved, picture.crop((0, 0, 40, 28))) == 0


def test_a_kernel_is_divided_by_its_sum() -> None:
    even = Image.new("RGB", (9, 9), (90, 120, 150))
    for kernel in ((1,) * 9, (2,) * 25):
        assert furthest(apply(even, words.Convolve(kernel=kernel)), even) <= 1
    doubled = words.Convolve(kernel=(0, 0, 0, 0, 2, 0, 0, 0, 0), divisor=1, offset=10)
    assert apply(even, doubled).getpixel((0, 0)) == (190, 250, 255)
    nothing = words.Convolve(kernel=(0,) * 9)
    assert set(apply(even, nothing).tobytes()) == {0}


def test_a_vignette_darkens_the_corners_alone() -> None:
    even = Image.new("RGB", (90, 60), (200, 200, 200))
    dark = apply(even, words.Vignette(strength=1))
    assert dark.getpixel((45, 30)) == (200, 200, 200)
    for at in ((0, 0), (89, 0), (0, 59), (89, 59)):
        assert max(dark.getpixel(at)) < 12  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("angle", "clear", "dark"),
    [
        (180, (40, 0), (40, 79)),
        (0, (40, 79), (40, 0)),
        (90, (0, 40), (79, 40)),
        (270, (79, 40), (0, 40)),
        (135, (0, 0), (79, 79)),
    ],
)
def test_a_gradient_fades_in_along_its_angle(
    angle: float, clear: tuple[int, int], dark: tuple[int, int]
) -> None:
    white = Image.new("RGB", (80, 80), "white")
    laid = apply(white, words.Gradient(color="#000000", angle=angle, start=0))
    assert min(laid.getpixel(clear)) > 245  # type: ignore[arg-type]
    assert max(laid.getpixel(dark)) < 10  # type: ignore[arg-type]
    middle = laid.getpixel((40, 40))
    assert isinstance(middle, tuple)
    assert abs(middle[0] - 127) < 6


def test_a_gradient_leaves_what_comes_before_its_start() -> None:
    laid = apply(Image.new("RGB", (80, 80), "white"), words.Gradient(start=0.5))
    assert set(laid.crop((0, 0, 80, 36)).tobytes()) == {255}


def test_a_background_shows_through() -> None:
    picture = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    picture.putpixel((0, 0), (255, 0, 0, 255))
    laid = apply(picture, words.Background(color="#0000ff"))
    assert (laid.mode, laid.getpixel((0, 0)), laid.getpixel((1, 1))) == (
        "RGB",
        (255, 0, 0),
        (0, 0, 255),
    )
    assert apply(picture, words.Background(color="#0000ff80")).getpixel((1, 1)) == (0, 0, 255, 128)


MARK = {"logo": Image.new("RGBA", (20, 10), (255, 0, 0, 255))}


@pytest.mark.parametrize(
    ("gravity", "box"),
    [
        (Gravity.SOUTHEAST, (75, 45, 95, 55)),
        (Gravity.NORTHWEST, (5, 5, 25, 15)),
        (Gravity.CENTER, (40, 25, 60, 35)),
    ],
)
def test_a_watermark_lies_where_it_is_put(gravity: Any, box: tuple[int, int, int, int]) -> None:
    operation = words.Watermark(image="logo", scale=None, margin=5, opacity=1, gravity=gravity)
    for mode in ("RGB", "RGBA"):
        marked = apply(Image.new(mode, (100, 60), "white"), operation, MARK)
        expected = Image.new(mode, (100, 60), "white")
        expected.paste((255, 0, 0), box)
        assert furthest(marked, expected) == 0


def test_a_watermark_is_scaled_dimmed_and_never_larger_than_the_picture() -> None:
    picture = Image.new("RGB", (100, 60), "white")
    half = words.Watermark(image="logo", scale=0.5, opacity=0.5, gravity=Gravity.CENTER)
    marked = apply(picture, half, MARK)
    assert marked.getpixel((50, 30)) == (255, 127, 127)
    assert picture.convert("L").getbbox() == (0, 0, 100, 60)
    red = sum(1 for level in marked.getchannel("G").tobytes() if level == 127)
    assert red == pytest.approx(50 * 25, rel=0.05)
    tiny = apply(Image.new("RGB", (5, 3), "white"), words.Watermark(image="logo", scale=1), MARK)
    assert tiny.size == (5, 3)


@pytest.mark.parametrize(
    ("blend", "after"),
    [
        ("normal", (200, 100, 0)),
        ("multiply", (78, 39, 0)),
        ("screen", (222, 161, 100)),
        ("darken", (100, 100, 0)),
        ("lighten", (200, 100, 100)),
        ("difference", (100, 0, 100)),
        ("overlay", (157, 78, 0)),
        ("hard-light", (189, 79, 0)),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_mark_blends_with_what_is_under_it(
    blend: Any, after: tuple[int, int, int], mode: str
) -> None:
    mark = {"logo": Image.new("RGBA", (20, 10), (200, 100, 0, 255))}
    operation = words.Watermark(image="logo", scale=None, margin=0, opacity=1, blend=blend)
    marked = apply(Image.new(mode, (60, 40), (100, 100, 100)), operation, mark).convert("RGB")
    assert furthest(marked.crop((40, 30, 60, 40)), Image.new("RGB", (20, 10), after)) <= 2
    assert marked.getpixel((0, 0)) == (100, 100, 100)


def test_tiles_cover_the_picture() -> None:
    operation = words.Watermark(image="logo", scale=None, margin=5, opacity=1, tile=True)
    for mode in ("RGB", "RGBA"):
        marked = apply(Image.new(mode, (103, 47), "white"), operation, MARK).convert("RGB")
        for left in range(0, 100, 25):
            for top in range(0, 45, 15):
                assert marked.getpixel((left, top)) == (255, 0, 0)
                assert marked.getpixel((min(102, left + 22), top)) == (255, 255, 255)


def test_tiles_of_one_pixel_take_no_longer() -> None:
    dot = {"logo": Image.new("RGBA", (1, 1), "red")}
    operation = words.Watermark(image="logo", scale=None, margin=0, opacity=1, tile=True)
    marked = apply(Image.new("RGB", (2_000, 1_500), "white"), operation, dot)
    assert marked.getcolors(2) == [(3_000_000, (255, 0, 0))]


def test_text_is_written_in_its_colour_and_made_to_fit() -> None:
    black = Image.new("RGB", (200, 60))
    line = words.Text(text="Pixmill", size=30, color="#00ff00", opacity=1, margin=0)
    written = apply(black, line)
    box = written.getbbox()
    assert box is not None
    assert (box[2], box[3]) == (200, 60)
    assert 20 <= box[3] - box[1] <= 36
    assert (written.getpixel((0, 0)), max(written.getchannel("R").tobytes())) == ((0, 0, 0), 0)
    long = apply(black, words.Text(text="Pixmill " * 25, size=500, opacity=1, margin=3))
    assert long.getbbox() is not None
    assert (long.getbbox() or (0,))[0] >= 3


def test_text_may_lean() -> None:
    written = apply(Image.new("RGB", (200, 200)), words.Text(text="Pixmill", opacity=1, angle=90))
    left, top, right, bottom = written.getbbox() or (0, 0, 0, 0)
    assert bottom - top > right - left > 0


def test_marks_are_read_from_their_folder(tmp_path: Path) -> None:
    photo((30, 20)).save(tmp_path / "logo.png")
    recipe = Recipe(name="v", operations=(words.Watermark(image="logo"),))
    assert marks.missing_mark([recipe], tmp_path) is None
    assert marks.read([recipe], tmp_path)["logo"].mode == "RGBA"
    assert difference(marks.read([recipe], tmp_path)["logo"].convert("RGB"), photo((30, 20))) == 0
    assert marks.read([Recipe(name="v")], None) == {}


@pytest.mark.parametrize("content", [None, b"", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_a_mark_that_is_none_is_refused(tmp_path: Path, content: bytes | None) -> None:
    recipe = Recipe(name="v", operations=(words.Watermark(image="logo"),))
    if content is not None:
        (tmp_path / "logo.png").write_bytes(content)
    else:
        assert (
            marks.missing_mark([recipe], tmp_path) == marks.missing_mark([recipe], None) == "logo"
        )
        with pytest.raises(BadPipeline):
            marks.read([recipe], None)
    with pytest.raises(BadPipeline, match="logo"):
        marks.read([recipe], tmp_path)


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (words.Watermark, {"image": "../logo"}),
        (words.Watermark, {"image": "logo", "gravity": "smart"}),
        (words.Watermark, {"image": "logo", "scale": 1.1}),
        (words.Text, {"text": ""}),
        (words.Text, {"text": "é"}),
        (words.Text, {"text": "a\nb"}),
        (words.Text, {"text": "a" * 201}),
        (words.Convolve, {"kernel": (1,) * 8}),
        (words.Convolve, {"kernel": (float("inf"),) * 9}),
        (words.Pixelate, {"size": 1}),
        (words.Denoise, {"passes": 5}),
        (words.Duotone, {"dark": "#00000000"}),
        (words.Gamma, {"gamma": 0}),
    ],
)
def test_words_out_of_bounds_are_refused(model: type[words.Closed], fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(fields)
