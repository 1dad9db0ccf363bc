"""What a client may and may not ask for."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from service.imaging import DEFAULT_PRESETS, Pipeline, Recipe, in_words


def recipe(*operations: dict[str, Any], **fields: Any) -> Recipe:
    return Recipe.model_validate({"name": "v", "operations": operations, **fields})


def test_a_recipe_reads_as_documented() -> None:
    card = recipe({"op": "resize", "width": 600, "height": 400, "fit": "cover"}, {"op": "sharpen"})
    assert (card.format, card.quality) == ("auto", 82)
    assert [operation.op for operation in card.operations] == ["resize", "sharpen"]
    assert Recipe.model_validate_json(card.model_dump_json()) == card


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "resize"},
        {"op": "resize", "width": 0},
        {"op": "resize", "width": 16_385},
        {"op": "resize", "width": 5, "fit": "crop"},
        {"op": "resize", "width": 5, "background": "white"},
        {"op": "resize", "width": 5, "colour": "#ffffff"},
        {"op": "blur", "radius": 0},
        {"op": "blur", "radius": 100.1},
        {"op": "brightness", "factor": 4.1},
        {"op": "contrast", "factor": float("nan")},
        {"op": "saturation"},
        {"op": "sepia", "strength": 1.1},
        {"op": "sharpen", "amount": 501},
        {"op": "median"},
        {},
    ],
)
def test_operations_out_of_bounds_are_refused(operation: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        recipe(operation)


@pytest.mark.parametrize("name", ["", "-a", "A", "a b", "a/b", "..", "a" * 33, "a\n"])
def test_names_are_slugs(name: str) -> None:
    with pytest.raises(ValidationError):
        Recipe(name=name)


def test_sixteen_operations_and_no_more() -> None:
    assert recipe(*[{"op": "grayscale"}] * 16).operations
    with pytest.raises(ValidationError):
        recipe(*[{"op": "grayscale"}] * 17)


@pytest.mark.parametrize("quality", [0, 101])
def test_quality_is_bounded(quality: int) -> None:
    with pytest.raises(ValidationError):
        recipe(quality=quality)


def test_a_pipeline_has_one_to_twenty_variants_of_different_names() -> None:
    twenty = tuple(Recipe(name=f"v{n}") for n in range(20))
    assert len(Pipeline(variants=twenty).variants) == 20
    for wrong in ((), (*twenty, Recipe(name="w")), (twenty[0], twenty[0])):
        with pytest.raises(ValidationError):
            Pipeline(variants=wrong)


def test_presets_are_named_as_they_are_keyed() -> None:
    assert list(DEFAULT_PRESETS) == ["thumbnail", "small", "medium", "large"]
    assert all(preset.name == name for name, preset in DEFAULT_PRESETS.items())
    Pipeline(variants=tuple(DEFAULT_PRESETS.values()))


def test_a_version_stands_for_what_a_recipe_says() -> None:
    card = recipe({"op": "resize", "width": 600, "fit": "inside"}, quality=82)

    assert card.digest == recipe({"op": "resize", "width": 600}).digest, "a default said aloud"
    assert card.digest != recipe({"op": "resize", "height": 600}).digest
    assert card.digest != recipe({"op": "resize", "width": 600}, quality=81).digest
    assert card.digest != recipe({"op": "resize", "width": 600}, name="w").digest


def test_two_operations_of_the_same_parameters_make_two_versions() -> None:
    lighter, stronger = ({"op": op, "factor": 1.5} for op in ("brightness", "contrast"))

    assert recipe(lighter).digest != recipe(stronger).digest
    assert recipe(lighter, stronger).digest != recipe(stronger, lighter).digest


@pytest.mark.parametrize(
    ("operations", "fields", "words"),
    [
        ([], {"format": "png"}, "As PNG."),
        (
            [{"op": "resize", "width": 600, "height": 400, "fit": "cover"}, {"op": "sharpen"}],
            {"format": "webp", "quality": 80},
            "Fill 600×400 and cut off the rest, then sharpen, then as WebP, quality 80.",
        ),
        (
            [{"op": "resize", "height": 90, "enlarge": True}, {"op": "blur", "radius": 2}],
            {"format": "jpeg"},
            "Scale to 90 pixels of height, enlarging smaller pictures, then blur (radius 2.0), "
            "then as JPEG, quality 82.",
        ),
    ],
)
def test_a_recipe_is_told_in_words(
    operations: list[dict[str, Any]], fields: dict[str, Any], words: str
) -> None:
    assert in_words(recipe(*operations, **fields)) == words
