"""What each operation may and may not do to pixels."""

from __future__ import annotations

from typing import get_args

import pytest
from PIL import Image
from pydantic import BaseModel, TypeAdapter

from service.imaging import Operation, presets
from service.imaging.operations import OPERATIONS, apply
from tests.pictures import photo
from tests.unit.imaging.similar import difference, furthest

FILTERS: list[presets.Operation] = [
    presets.Grayscale(),
    presets.Blur(radius=2),
    presets.Sharpen(),
    presets.Brightness(factor=1.5),
    presets.Contrast(factor=1.5),
    presets.Saturation(factor=1.5),
    presets.Sepia(),
]


def _name(operation: presets.Operation) -> str:
    return operation.op


def test_every_operation_has_its_pixels() -> None:
    models = get_args(get_args(Operation)[0])
    assert {model.model_fields["op"].default for model in models} == set(OPERATIONS)


@pytest.mark.parametrize("operation", FILTERS, ids=_name)
def test_filters_leave_alpha_and_input_alone(operation: presets.Operation) -> None:
    picture = photo(mode="RGBA")
    before = picture.tobytes()
    changed = apply(picture, operation)
    assert changed.mode == "RGBA"
    assert changed.getchannel("A").tobytes() == picture.getchannel("A").tobytes()
    assert picture.tobytes() == before
    assert changed.convert("RGB").tobytes() != picture.convert("RGB").tobytes()


@pytest.mark.parametrize("operation", FILTERS, ids=_name)
def test_alpha_makes_no_difference_where_all_is_seen(operation: presets.Operation) -> None:
    picture = photo()
    opaque = apply(picture.convert("RGBA"), operation)
    assert furthest(opaque, apply(picture, operation)) <= 1


@pytest.mark.parametrize("operation", FILTERS, ids=_name)
def test_what_is_transparent_does_not_show(operation: presets.Operation) -> None:
    one, other = (Image.new("RGBA", (40, 40), colour) for colour in ("#ff000000", "#00ff0000"))
    for picture in (one, other):
        picture.paste((90, 120, 150, 255), (10, 10, 30, 30))
    first, second = (apply(picture, operation).crop((10, 10, 30, 30)) for picture in (one, other))
    assert furthest(first, second) <= 1


@pytest.mark.parametrize("op", ["brightness", "contrast", "saturation"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_factor_one_changes_nothing(op: str, mode: str) -> None:
    operation: presets.Operation = TypeAdapter(Operation).validate_python({"op": op, "factor": 1})
    assert apply(photo(mode=mode), operation).tobytes() == photo(mode=mode).tobytes()


def test_sepia_without_strength_changes_nothing() -> None:
    assert apply(photo(), presets.Sepia(strength=0)).tobytes() == photo().tobytes()


def test_no_brightness_is_black() -> None:
    assert set(apply(photo(), presets.Brightness(factor=0)).tobytes()) == {0}


def test_no_contrast_is_one_gray() -> None:
    assert len(set(apply(photo(), presets.Contrast(factor=0)).tobytes())) == 1


def test_no_saturation_is_grayscale() -> None:
    assert (
        difference(
            apply(photo(), presets.Saturation(factor=0)), apply(photo(), presets.Grayscale())
        )
        < 1
    )


def test_grayscale_has_equal_channels() -> None:
    red, green, blue = apply(photo(), presets.Grayscale()).split()
    assert red.tobytes() == green.tobytes() == blue.tobytes()


def test_sepia_of_gray_is_brown_in_order() -> None:
    pixel = apply(Image.new("RGB", (2, 2), (100, 100, 100)), presets.Sepia()).getpixel((0, 0))
    assert pixel == (135, 120, 94)


def test_contrast_takes_its_mean_from_what_is_seen() -> None:
    picture = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    picture.paste((100, 100, 100, 255), (0, 0, 2, 4))
    assert apply(picture, presets.Contrast(factor=2)).getpixel((0, 0)) == (100, 100, 100, 255)
    unseen = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    assert apply(unseen, presets.Contrast(factor=0)).getpixel((0, 0)) == (128, 128, 128, 0)


def test_blur_lowers_and_sharpen_raises_the_range() -> None:
    edge = Image.new("RGB", (20, 20), (100, 100, 100))
    edge.paste((150, 150, 150), (0, 0, 10, 20))
    column = [apply(edge, presets.Blur(radius=3)).getpixel((x, 9)) for x in range(20)]
    assert len(set(column)) > 6
    levels = set(apply(edge, presets.Sharpen()).tobytes())
    assert min(levels) < 100
    assert max(levels) > 150


def test_contain_pads_with_its_background() -> None:
    picture = photo((100, 50))
    resize = presets.Resize(width=60, height=60, fit=presets.Fit.CONTAIN, background="#10203040")
    padded = apply(picture, resize)
    assert (padded.mode, padded.size) == ("RGBA", (60, 60))
    assert padded.getpixel((30, 5)) == (16, 32, 48, 64)
    assert padded.getpixel((30, 30))[3] == 255  # type: ignore[index]
    opaque = resize.model_copy(update={"background": "#102030"})
    assert apply(picture, opaque).mode == "RGB"
    assert apply(picture, opaque).getpixel((30, 5)) == (16, 32, 48)


def test_contain_keeps_the_transparency_of_the_picture() -> None:
    resize = presets.Resize(width=60, height=60, fit=presets.Fit.CONTAIN)
    padded = apply(photo((100, 50), "RGBA"), resize)
    assert padded.getpixel((30, 5)) == (255, 255, 255, 255)
    assert padded.getpixel((3, 30))[3] == 0  # type: ignore[index]


def test_models_are_closed_and_frozen() -> None:
    for model in (*get_args(get_args(Operation)[0]), presets.Recipe, presets.Pipeline):
        assert issubclass(model, BaseModel)
        assert model.model_config.get("extra") == "forbid"
        assert model.model_config.get("frozen") is True
        for name, field in model.model_fields.items():
            assert name == "op" or field.description, (model, name)
