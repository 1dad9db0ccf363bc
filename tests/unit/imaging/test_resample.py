"""The fast resampler against Pillow's own, mode by mode."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from service.imaging.geometry import place
from service.imaging.resample import FAST_MODES, by_pillow, resample
from service.imaging.window import whole
from service.imaging.words import Fit, Resize
from tests.pictures import photo
from tests.unit.imaging.similar import difference, furthest


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("size", [(240, 180), (160, 120), (101, 77), (30, 5), (1, 1), (500, 400)])
def test_both_resamplers_agree(mode: str, size: tuple[int, int]) -> None:
    image = photo((320, 240), mode)
    ours, pillows = resample(image, size), by_pillow(image, size, whole(image.size))
    assert ours.mode == mode
    if mode == "RGBA":
        assert furthest(ours.getchannel("A"), pillows.getchannel("A"), "L") <= 1
        ours, pillows = ours.convert("RGBa"), pillows.convert("RGBa")
        ours, pillows = (Image.merge("RGB", seen.split()[:3]) for seen in (ours, pillows))
    assert difference(ours, pillows, ours.mode) < (1 if size == (1, 1) else 0.4)


def test_the_fast_one_is_in_use_where_it_is_installed() -> None:
    pytest.importorskip("cykooz_resizer")
    assert {"L", "RGB", "RGBA", "CMYK"} <= FAST_MODES


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK"])
def test_parts_are_scaled_alike(mode: str) -> None:
    image, box = photo((320, 240), mode), (10.5, 20.25, 310.75, 220.5)
    assert difference(resample(image, (75, 50), box), by_pillow(image, (75, 50), box), mode) < 0.4


@pytest.mark.parametrize("by", [resample, lambda i, s: by_pillow(i, s, whole(i.size))])
def test_what_is_under_transparency_does_not_bleed(by: object) -> None:
    assert callable(by)
    image = Image.new("RGBA", (64, 64), (255, 255, 255, 255))
    image.paste((255, 0, 0, 0), (0, 0, 33, 64))
    scaled = by(image, (16, 16))
    seen = [
        scaled.getpixel((x, 8)) for x in range(16) if scaled.getchannel("A").getpixel((x, 8)) > 8
    ]
    assert all(min(pixel[:3]) >= 250 for pixel in seen)
    assert len(seen) >= 7


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from(["L", "RGB", "RGBA", "CMYK"]),
)
@settings(deadline=None)
def test_any_part_of_any_size_can_be_taken(
    width: int, height: int, to_width: int, to_height: int, mode: str
) -> None:
    image = Image.new(mode, (width, height), 128 if mode == "L" else (128,) * len(mode))
    placed = place(
        image.size, Resize(width=to_width, height=to_height, fit=Fit.COVER, enlarge=True)
    )
    scaled = resample(image, placed.size, placed.box)
    assert scaled.size == (to_width, to_height)
    assert max(abs(low - 128) + abs(high - 128) for low, high in _extrema(scaled)) <= 2


def _extrema(image: Image.Image) -> list[tuple[int, int]]:
    return [(min(band.tobytes()), max(band.tobytes())) for band in image.split()]


def test_the_same_size_is_the_same_picture() -> None:
    image = photo()
    image.info["comment"] = b"x"
    same = resample(image, image.size)
    assert same.tobytes() == image.tobytes()
    assert same is not image
    assert same.info == {}
    assert image.info
