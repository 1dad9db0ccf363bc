"""What each operation may and may not do to pixels."""

from __future__ import annotations

from typing import get_args

import pytest
from PIL import Image
from pydantic import BaseModel, TypeAdapter

from service.imaging import Operation, presets, words
from service.imaging.foretell import Canvas, after
from service.imaging.operations import OPERATIONS, apply
from tests.pictures import photo
from tests.unit.imaging.examples import ALL, FILTERS, LIGHTS, name_of
from tests.unit.imaging.similar import difference, furthest

MODELS = get_args(get_args(Operation)[0])
MARKS = {"logo": photo((40, 30), "RGBA")}


def test_every_operation_has_its_pixels_and_an_example() -> None:
    names = {model.model_fields["op"].default for model in MODELS}
    assert names == {*OPERATIONS, "watermark"} == {operation.op for operation in ALL}


@pytest.mark.parametrize("operation", ALL, ids=name_of)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_operation_makes_what_is_foretold_and_leaves_its_input(
    operation: words.Operation, mode: str
) -> None:
    picture = photo(mode=mode)
    before = picture.tobytes()
    changed = apply(picture, operation, MARKS)
    foretold = after(Canvas(picture.size, alpha=mode == "RGBA"), operation)
    assert picture.tobytes() == before
    assert changed is not picture
    assert changed.mode == ("RGBA" if foretold.alpha else "RGB")
    if isinstance(operation, words.Trim):
        return
    assert changed.size == foretold.size
    if changed.size == picture.size and not isinstance(operation, words.Background):
        assert changed.convert("RGBA").tobytes() != picture.convert("RGBA").tobytes()


@pytest.mark.parametrize("operation", ALL, ids=name_of)
def test_the_smallest_picture_is_no_trouble(operation: words.Operation) -> None:
    for mode in ("RGB", "RGBA"):
        for size in ((1, 1), (1, 9), (9, 1), (2, 2)):
            made = apply(photo(size, mode), operation, MARKS)
            assert made.size == after(Canvas(size, alpha=True), operation).size or (
                isinstance(operation, words.Trim)
            )


@pytest.mark.parametrize("operation", [*LIGHTS, *FILTERS], ids=name_of)
def test_filters_leave_alpha_alone(operation: words.Operation) -> None:
    picture = photo(mode="RGBA")
    changed = apply(picture, operation)
    assert changed.getchannel("A").tobytes() == picture.getchannel("A").tobytes()
    assert changed.convert("RGB").tobytes() != picture.convert("RGB").tobytes()


@pytest.mark.parametrize("operation", ALL, ids=name_of)
def test_alpha_makes_no_difference_where_all_is_seen(operation: words.Operation) -> None:
    opaque = apply(photo().convert("RGBA"), operation, MARKS)
    assert furthest(opaque, apply(photo(), operation, MARKS)) <= 1


@pytest.mark.parametrize("operation", [*LIGHTS, *FILTERS], ids=name_of)
def test_what_is_transparent_does_not_show(operation: words.Operation) -> None:
    one, other = (Image.new("RGBA", (40, 40), colour) for colour in ("#ff000000", "#00ff0000"))
    for picture in (one, other):
        picture.paste((90, 120, 150, 255), (10, 10, 30, 30))
    first, second = (apply(picture, operation).crop((10, 10, 30, 30)) for picture in (one, other))
    assert furthest(first, second) <= 1


@pytest.mark.parametrize("op", ["brightness", "contrast", "saturation"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_factor_one_changes_nothing(op: str, mode: str) -> None:
    operation: words.Operation = TypeAdapter(Operation).validate_python({"op": op, "factor": 1})
    assert apply(photo(mode=mode), operation).tobytes() == photo(mode=mode).tobytes()


def test_sepia_without_strength_changes_nothing() -> None:
    assert apply(photo(), words.Sepia(strength=0)).tobytes() == photo().tobytes()


def test_no_brightness_is_black() -> None:
    assert set(apply(photo(), words.Brightness(factor=0)).tobytes()) == {0}


def test_no_contrast_is_one_gray() -> None:
    assert len(set(apply(photo(), words.Contrast(factor=0)).tobytes())) == 1


def test_no_saturation_is_grayscale() -> None:
    assert (
        difference(apply(photo(), words.Saturation(factor=0)), apply(photo(), words.Grayscale()))
        < 1
    )


def test_grayscale_has_equal_channels() -> None:
    red, green, blue = apply(photo(), words.Grayscale()).split()
    assert red.tobytes() == green.tobytes() == blue.tobytes()


def test_sepia_of_gray_is_brown_in_order() -> None:
    pixel = apply(Image.new("RGB", (2, 2), (100, 100, 100)), words.Sepia()).getpixel((0, 0))
    assert pixel == (135, 120, 94)


def test_contrast_takes_its_mean_from_what_is_seen() -> None:
    picture = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    picture.paste((100, 100, 100, 255), (0, 0, 2, 4))
    assert apply(picture, words.Contrast(factor=2)).getpixel((0, 0)) == (100, 100, 100, 255)
    unseen = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    assert apply(unseen, words.Contrast(factor=0)).getpixel((0, 0)) == (128, 128, 128, 0)


def test_blur_lowers_and_sharpen_raises_the_range() -> None:
    edge = Image.new("RGB", (20, 20), (100, 100, 100))
    edge.paste((150, 150, 150), (0, 0, 10, 20))
    column = [apply(edge, words.Blur(radius=3)).getpixel((x, 9)) for x in range(20)]
    assert len(set(column)) > 6
    levels = set(apply(edge, words.Sharpen()).tobytes())
    assert min(levels) < 100
    assert max(levels) > 150


def test_contain_pads_with_its_background() -> None:
    picture = photo((100, 50))
    resize = words.Resize(width=60, height=60, fit=words.Fit.CONTAIN, background="#10203040")
    padded = apply(picture, resize)
    assert (padded.mode, padded.size) == ("RGBA", (60, 60))
    assert padded.getpixel((30, 5)) == (16, 32, 48, 64)
    assert padded.getpixel((30, 30))[3] == 255  # type: ignore[index]
    opaque = resize.model_copy(update={"background": "#102030"})
    assert apply(picture, opaque).mode == "RGB"
    assert apply(picture, opaque).getpixel((30, 5)) == (16, 32, 48)


def test_contain_keeps_the_transparency_of_the_picture() -> None:
    resize = words.Resize(width=60, height=60, fit=words.Fit.CONTAIN)
    padded = apply(photo((100, 50), "RGBA"), resize)
    assert padded.getpixel((30, 5)) == (255, 255, 255, 255)
    assert padded.getpixel((3, 30))[3] == 0  # type: ignore[index]


def test_models_are_closed_and_frozen() -> None:
    for model in (*MODELS, words.Focus, presets.Recipe, presets.Pipeline):
        assert issubclass(model, BaseModel)
        assert model.model_config.get("extra") == "forbid"
        assert model.model_config.get("frozen") is True
        for name, field in model.model_fields.items():
            assert name == "op" or field.description, (model, name)
