"""Charts, screens and icons are kept without loss where the format is left open."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from service.imaging import Limits, Probe, Recipe, plan, probe, render
from service.imaging.colours import is_flat
from service.imaging.encode import encode
from service.imaging.quality import encoded
from tests import pictures
from tests.pictures import photo
from tests.unit.imaging.similar import furthest, shown


def recipe(**fields: Any) -> Recipe:
    return Recipe(name="v", **fields)


def rough() -> Image.Image:
    """A picture with grain, as photographs have it."""
    grain = Image.frombytes("RGB", (320, 240), random.Random(3).randbytes(320 * 240 * 3))
    return Image.blend(photo((320, 240)), grain, 0.2)


def chart() -> Image.Image:
    picture = Image.new("RGB", (800, 500), "white")
    draw = ImageDraw.Draw(picture)
    for n in range(12):
        draw.rectangle((40 + 60 * n, 450 - 37 * n % 400, 80 + 60 * n, 450), fill=(20 * n, 90, 160))
        draw.text((45 + 60 * n, 460), f"Q{n}", fill="black", font=ImageFont.load_default(16))
    draw.line([(60 + 60 * n, 300 - 91 * n % 250) for n in range(12)], fill=(112, 48, 160), width=4)
    return picture


def screen() -> Image.Image:
    picture = Image.new("RGB", (800, 500), (246, 248, 250))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(14)
    draw.rectangle((0, 0, 800, 40), fill=(36, 41, 47))
    for y in range(50, 480, 22):
        draw.text((160, y), f"A line of text that is read, number {y}", fill="black", font=font)
        draw.text((20, y), f"Entry {y}", fill=(9, 105, 218), font=font)
    return picture


def icon() -> Image.Image:
    picture = Image.new("RGBA", (256, 256), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((20, 20, 236, 236), fill=(30, 120, 220, 255))
    return picture


def on_white() -> Image.Image:
    picture = Image.new("RGB", (960, 720), "white")
    picture.paste(rough(), (300, 200))
    return picture


FLAT = {"chart": chart, "screen": screen, "icon": icon}
NOT_FLAT = {
    "photograph": rough,
    "in gray": lambda: photo((800, 600)).convert("L").convert("RGB"),
    "on white": on_white,
    "clear in part": lambda: photo((320, 240), "RGBA"),
}


@pytest.mark.parametrize("name", [*FLAT, *NOT_FLAT])
def test_what_is_flat_loses_nothing_where_the_format_is_left_open(
    tmp_path: Path, name: str
) -> None:
    picture = (FLAT | NOT_FLAT)[name]()
    assert is_flat(picture) is (name in FLAT)
    stored = tmp_path / "original"
    stored.write_bytes(pictures.encoded(picture, "png"))
    (variant,) = render(stored, probe(stored, Limits()), [recipe()])
    assert variant.format == "webp"
    assert (variant.quality is None) is (name in FLAT)
    exact = furthest(shown(variant).convert(picture.mode), picture, picture.mode) == 0
    assert exact is (name in FLAT)
    if name in FLAT:
        assert len(variant.data) < len(encode(picture, "webp", recipe()))


def test_only_what_is_left_open_is_looked_at(tmp_path: Path) -> None:
    wanted = [recipe(format="webp"), recipe(similarity=0.9), recipe(max_bytes=9_000)]
    for one in wanted:
        assert encoded(chart(), "webp", one).quality is not None
    assert encoded(chart(), "jpeg", recipe()).quality == 82


def test_the_smallest_pictures_are_flat_or_not() -> None:
    for size in ((1, 1), (1, 90), (90, 1), (2, 2)):
        assert is_flat(Image.new("RGB", size)) in {True, False}


def test_auto_goes_by_what_drawings_come_in() -> None:
    formats = {"jpeg": "jpeg", "tiff": "jpeg", "avif": "jpeg", "png": "webp", "bmp": "webp"}
    for source, target in formats.items():
        header = Probe(source, f"image/{source}", 60, 40, 1, 1, alpha=False)
        assert plan(header, recipe()).format == target
