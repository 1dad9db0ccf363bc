"""Operations that change a picture's size or turn it: where every pixel goes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from service.imaging import words
from service.imaging.foretell import Canvas, after
from service.imaging.operations import apply
from service.imaging.words import Gravity
from tests.pictures import photo
from tests.unit.imaging.similar import difference, furthest

WHITE, RED = (255, 255, 255), (255, 0, 0)


def spot(at: tuple[int, int], size: tuple[int, int] = (90, 60)) -> Image.Image:
    """White, with a red square of 10 × 10 pixels."""
    picture = Image.new("RGB", size, WHITE)
    picture.paste(RED, (*at, at[0] + 10, at[1] + 10))
    return picture


def level(image: Image.Image, at: tuple[int, int]) -> tuple[int, ...]:
    found = image.getpixel(at)
    assert isinstance(found, tuple)
    return tuple(int(one) for one in found)


def test_a_crop_takes_its_box() -> None:
    picture = photo((90, 60))
    cut = apply(picture, words.Crop(width=30, height=20, x=7, y=9))
    assert furthest(cut, picture.crop((7, 9, 37, 29))) == 0


def test_a_crop_that_reaches_over_the_edge_is_moved_in() -> None:
    picture = photo((90, 60))
    cut = apply(picture, words.Crop(width=30, height=200, x=80, y=50))
    assert furthest(cut, picture.crop((60, 0, 90, 60))) == 0


@pytest.mark.parametrize(("aspect", "size"), [(1, (60, 60)), (3, (90, 30)), (0.5, (30, 60))])
def test_an_aspect_takes_the_largest_part(aspect: float, size: tuple[int, int]) -> None:
    assert apply(photo((90, 60)), words.Crop(aspect=aspect)).size == size


@pytest.mark.parametrize(
    ("gravity", "corner"),
    [
        (Gravity.NORTHWEST, (0, 0)),
        (Gravity.SOUTHEAST, (60, 40)),
        (Gravity.CENTER, (30, 20)),
        (Gravity.NORTH, (30, 0)),
        (Gravity.WEST, (0, 20)),
    ],
)
def test_gravity_says_which_part(gravity: Gravity, corner: tuple[int, int]) -> None:
    picture = photo((90, 60))
    cut = apply(picture, words.Crop(width=30, height=20, gravity=gravity))
    box = (*corner, corner[0] + 30, corner[1] + 20)
    assert furthest(cut, picture.crop(box)) == 0


@pytest.mark.parametrize("at", [(2, 2), (70, 45), (40, 25), (5, 48)])
def test_a_smart_crop_holds_what_there_is_to_see(at: tuple[int, int]) -> None:
    cut = apply(spot(at), words.Crop(width=30, height=30, gravity=Gravity.SMART))
    red = sum(1 for pixel in zip(*[iter(cut.tobytes())] * 3, strict=True) if pixel == RED)
    assert red == 100


def test_a_smart_cover_holds_what_there_is_to_see() -> None:
    cover = words.Resize(width=20, height=20, fit=words.Fit.COVER, gravity=Gravity.SMART)
    for at in ((4, 20), (76, 20)):
        thumb = apply(spot(at), cover)
        assert thumb.size == (20, 20)
        assert level(thumb.resize((1, 1), Image.Resampling.BOX), (0, 0))[1] < 250


def test_smart_looks_for_edges_not_for_colours() -> None:
    sky = Image.linear_gradient("L").resize((120, 60)).convert("RGB")
    sky.paste(photo((30, 60)).convert("L").convert("RGB").point(lambda v: 255 * (v > 90)), (0, 0))
    cut = apply(sky, words.Crop(aspect=0.5, gravity=Gravity.SMART))
    assert furthest(cut, sky.crop((0, 0, 30, 60))) == 0


@pytest.mark.parametrize("x", [0.0, 0.05, 0.5, 0.93, 1.0])
def test_cover_keeps_its_focus(x: float) -> None:
    at = (min(80, max(0, round(x * 90 - 5))), 25)
    focus = words.Focus(x=x, y=0.5)
    cover = words.Resize(width=30, height=30, fit=words.Fit.COVER, focus=focus)
    left = apply(spot(at), cover).convert("RGB")
    assert min(left.getchannel("G").tobytes()) < 40


def test_a_device_pixel_ratio_makes_the_box_larger() -> None:
    resize = words.Resize(width=30, height=20, fit=words.Fit.COVER, dpr=2)
    assert apply(photo((90, 60)), resize).size == (60, 40)
    assert apply(photo((50, 60)), resize).size == (50, 33)


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"scale": 0.5}, (45, 30)),
        ({"scale": 2}, (90, 60)),
        ({"scale": 2, "enlarge": True}, (180, 120)),
        ({"scale": 0.5, "dpr": 1.5}, (68, 45)),
        ({"scale": 0.001}, (1, 1)),
    ],
)
def test_a_scale_is_a_factor(fields: dict[str, Any], size: tuple[int, int]) -> None:
    assert apply(photo((90, 60)), words.Resize(**fields)).size == size


def test_contain_puts_the_picture_where_gravity_says() -> None:
    contain = words.Resize(width=60, height=60, fit=words.Fit.CONTAIN, gravity=Gravity.SOUTH)
    padded = apply(Image.new("RGB", (60, 20), RED), contain)
    assert level(padded, (30, 39)) == WHITE
    assert level(padded, (30, 40)) == RED


def test_padding_may_be_the_picture_blurred_or_its_colour() -> None:
    picture = Image.new("RGB", (60, 20), (200, 100, 50))
    for background in ("blur", "auto"):
        contain = words.Resize(width=60, height=60, fit=words.Fit.CONTAIN, background=background)
        padded = apply(picture, contain)
        assert difference(padded, Image.new("RGB", (60, 60), (200, 100, 50))) < 2


def test_trim_takes_even_edges_away() -> None:
    picture = Image.new("RGB", (90, 60), (250, 250, 250))
    picture.paste(photo((30, 20)), (11, 13))
    picture.putpixel((80, 50), (255, 255, 255))
    assert apply(picture, words.Trim()).size == (30, 20)
    assert apply(picture, words.Trim(threshold=0)).size == (70, 38)
    assert apply(picture, words.Trim(color="#000000")).size == (90, 60)


def test_trim_takes_what_cannot_be_seen() -> None:
    picture = Image.new("RGBA", (90, 60), (1, 2, 3, 0))
    picture.paste((200, 0, 0, 0), (50, 0, 90, 60))
    picture.paste((200, 0, 0, 255), (20, 10, 40, 30))
    assert apply(picture, words.Trim()).size == (20, 20)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_trim_leaves_a_picture_of_one_colour(mode: str) -> None:
    assert apply(Image.new(mode, (9, 7)), words.Trim()).size == (9, 7)


def test_pad_adds_room_on_each_side() -> None:
    padded = apply(photo((20, 10)), words.Pad(top=1, right=2, bottom=3, left=4))
    assert padded.size == (26, 14)
    assert furthest(padded.crop((4, 1, 24, 11)), photo((20, 10))) == 0
    assert level(padded, (0, 0)) == WHITE


def test_a_border_is_a_frame() -> None:
    framed = apply(photo((20, 10)), words.Border(width=3, color="#ff0000"))
    assert level(framed, (0, 0)) == level(framed, (25, 15)) == RED
    assert furthest(framed.crop((3, 3, 23, 13)), photo((20, 10))) == 0


@pytest.mark.parametrize("angle", [90, -270, 180, -180, 270, 360, 0, -360])
def test_quarter_turns_move_pixels_and_change_none(angle: int) -> None:
    turned = apply(photo((30, 20)), words.Rotate(angle=angle))
    expected = photo((30, 20)).rotate(-angle, expand=True)
    assert furthest(turned, expected) == 0


@pytest.mark.parametrize("angle", [7, 33.5, -45, 84, 275])
def test_any_turn_is_clockwise_and_fills_the_corners(angle: float) -> None:
    picture = photo((120, 80))
    leaning = apply(picture, words.Rotate(angle=angle, background="#ff0000"))
    size = leaning.size
    assert level(leaning, (0, 0)) == RED
    other = picture.rotate(-angle, Image.Resampling.BICUBIC, expand=True, fillcolor="#ff0000")
    assert max(abs(a - b) for a, b in zip(size, other.size, strict=True)) <= 1
    middle = tuple(side // 2 for side in size)
    box = (middle[0] - 20, middle[1] - 20, middle[0] + 20, middle[1] + 20)
    assert difference(leaning.crop(box), other.crop(box)) < 6


@given(st.floats(-360, 360), st.integers(1, 60), st.integers(1, 60))
def test_a_turned_picture_has_the_size_foretold(angle: float, width: int, height: int) -> None:
    operation = words.Rotate(angle=angle, background="#00000000")
    leaning = apply(Image.new("RGB", (width, height), RED), operation)
    assert leaning.size == after(Canvas((width, height), alpha=False), operation).size
    assert leaning.width * leaning.height >= width * height * 0.99


def test_flips_exchange_ends() -> None:
    picture = photo((30, 20))
    assert apply(picture, words.Flip()).getpixel((3, 0)) == picture.getpixel((3, 19))
    assert apply(picture, words.Flop()).getpixel((0, 3)) == picture.getpixel((29, 3))


def test_a_shadow_lies_behind_and_to_the_side() -> None:
    cast = apply(
        Image.new("RGB", (40, 40), RED), words.Shadow(x=10, y=0, blur=2, color="#0000ffff")
    )
    assert cast.size == (55, 50)
    assert level(cast, (15, 25)) == (*RED, 255)
    assert level(cast, (46, 25))[2] == 255
    assert level(cast, (46, 25))[3] > 230
    assert level(cast, (54, 25))[3] < 80


def test_corners_are_round() -> None:
    image = apply(Image.new("RGB", (60, 40), RED), words.RoundCorners(radius=15))
    assert [level(image, at)[3] for at in ((0, 0), (59, 0), (59, 39), (0, 39))] == [0] * 4
    assert level(image, (15, 0)) == level(image, (30, 20)) == (*RED, 255)
    area = sum(image.getchannel("A").tobytes()) / 255
    assert area == pytest.approx(60 * 40 - (4 - 3.14159) * 15**2, abs=4)


def test_a_share_of_one_makes_a_circle() -> None:
    image = apply(
        Image.new("RGB", (50, 50), RED), words.RoundCorners(share=1, background="#ffffff")
    )
    assert image.mode == "RGB"
    assert level(image, (2, 2)) == WHITE
    assert level(image, (25, 0)) == RED


@pytest.mark.parametrize(
    "fields",
    [
        {"op": "resize", "width": 5, "scale": 1},
        {"op": "resize", "scale": 17},
        {"op": "resize", "width": 5, "dpr": 9},
        {"op": "resize", "width": 5, "gravity": "top"},
        {"op": "resize", "width": 5, "focus": {"x": 1.1, "y": 0}},
        {"op": "crop"},
        {"op": "crop", "aspect": 1, "width": 5},
        {"op": "crop", "width": 5, "x": -1},
        {"op": "trim", "threshold": 255},
        {"op": "pad", "top": 16_385},
        {"op": "rotate", "angle": float("nan")},
        {"op": "border", "width": 0},
        {"op": "shadow", "blur": 101},
        {"op": "round_corners"},
        {"op": "round_corners", "radius": 5, "share": 0.5},
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    model: dict[str, type[words.Closed]]
    model = {"resize": words.Resize, "crop": words.Crop, "trim": words.Trim, "pad": words.Pad}
    model |= {"rotate": words.Rotate, "border": words.Border, "shadow": words.Shadow}
    model |= {"round_corners": words.RoundCorners}
    with pytest.raises(ValidationError):
        model[fields["op"]].model_validate(fields)
