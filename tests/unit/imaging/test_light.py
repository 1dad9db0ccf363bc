"""Operations on single colours: what each level becomes."""

from __future__ import annotations

import pytest
from PIL import Image

from service.imaging import words
from service.imaging.operations import apply
from tests.pictures import photo
from tests.unit.imaging.similar import difference, furthest

Colour = tuple[int, int, int]


def became(colour: Colour, operation: words.Operation) -> tuple[int, ...]:
    found = apply(Image.new("RGB", (2, 2), colour), operation).getpixel((0, 0))
    assert isinstance(found, tuple)
    return tuple(int(level) for level in found)


@pytest.mark.parametrize(
    ("operation", "before", "after"),
    [
        (words.Gamma(gamma=2), (0, 64, 255), (0, 128, 255)),
        (words.Gamma(gamma=0.5), (0, 128, 255), (0, 64, 255)),
        (words.Invert(), (0, 100, 255), (255, 155, 0)),
        (words.Posterize(bits=1), (0, 127, 128), (0, 0, 255)),
        (words.Posterize(bits=2), (63, 64, 200), (0, 85, 255)),
        (words.Solarize(threshold=100), (100, 101, 255), (100, 154, 0)),
        (words.Rgb(red=2, green=0.5, blue=0), (100, 100, 100), (200, 50, 0)),
        (words.Duotone(dark="#102030", light="#f0e0d0"), (0, 0, 0), (16, 32, 48)),
        (words.Duotone(dark="#102030", light="#f0e0d0"), (255, 255, 255), (240, 224, 208)),
        (words.Colorize(color="#ff0000", opacity=0.5), (0, 0, 100), (128, 0, 50)),
        (words.Colorize(color="#ff000080", opacity=0.5), (0, 0, 100), (64, 0, 75)),
        (words.Hue(angle=120), (128, 128, 128), (128, 128, 128)),
    ],
)
def test_what_a_colour_becomes(operation: words.Operation, before: Colour, after: Colour) -> None:
    found = became(before, operation)
    assert max(abs(a - b) for a, b in zip(found, after, strict=True)) <= 1


@pytest.mark.parametrize(
    "operation",
    [
        words.Gamma(gamma=1),
        words.Rgb(),
        words.Posterize(bits=8),
        words.Solarize(threshold=255),
        words.Hue(angle=0),
        words.Hue(angle=360),
        words.Duotone(strength=0),
        words.Colorize(color="#123456", opacity=0),
    ],
)
def test_some_parameters_change_nothing(operation: words.Operation) -> None:
    assert furthest(apply(photo(), operation), photo()) <= 1


def test_twice_inverted_is_as_before() -> None:
    twice = apply(apply(photo(), words.Invert()), words.Invert())
    assert furthest(twice, photo()) == 0


def test_hue_turns_red_towards_green_then_blue() -> None:
    third, two_thirds = (became((200, 50, 50), words.Hue(angle=angle)) for angle in (120, 240))
    assert max(third) == third[1]
    assert max(two_thirds) == two_thirds[2]


def test_auto_contrast_takes_the_whole_range_and_keeps_the_tone() -> None:
    dull = photo(mode="L").convert("RGB").point([80 + n // 4 for n in range(256)] * 3)
    low, high = apply(dull, words.AutoContrast(cutoff=0)).convert("L").getextrema()
    assert (low, high) == (0, 255)
    assert apply(dull, words.AutoContrast(cutoff=20)).convert("L").histogram()[255] > 100


def test_auto_contrast_does_not_look_at_what_is_unseen() -> None:
    picture = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    picture.paste((100, 100, 100, 255), (0, 0, 2, 4))
    picture.paste((120, 120, 120, 255), (0, 0, 1, 4))
    stretched = apply(picture, words.AutoContrast(cutoff=0))
    assert stretched.getpixel((0, 0)) == (255, 255, 255, 255)
    assert stretched.getpixel((1, 0)) == (0, 0, 0, 255)


def test_equalize_makes_the_histogram_flat() -> None:
    dark = photo().point([level // 3 for level in range(256)] * 3)
    counts = apply(dark, words.Equalize()).convert("L").histogram()
    quarters = [sum(counts[at : at + 64]) for at in range(0, 256, 64)]
    assert max(quarters) < 1.6 * min(quarters)


def test_sepia_and_colorize_differ_by_their_strength() -> None:
    for strength in (0.25, 0.75):
        weak = apply(photo(), words.Sepia(strength=strength))
        whole = apply(photo(), words.Sepia())
        assert difference(weak, Image.blend(photo(), whole, strength)) < 1.5
