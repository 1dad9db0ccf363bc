"""Every way a file may hold colours, seen as sRGB."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from service.imaging import Limits, Recipe, probe, render
from service.imaging.colour import prepare, to_srgb
from tests import pictures
from tests.pictures import encoded, photo, picture_bytes
from tests.unit.imaging.similar import difference, furthest, shown


def seen(tmp_path: Path, data: bytes) -> Image.Image:
    """The picture through the whole pipeline, as a PNG."""
    stored = tmp_path / "original"
    stored.write_bytes(data)
    (variant,) = render(stored, probe(stored, Limits()), [Recipe(name="v", format="png")])
    return shown(variant)


@pytest.mark.parametrize(
    ("mode", "picture_format"),
    [
        ("RGB", "png"),
        ("RGBA", "png"),
        ("RGB", "tiff"),
        ("RGB", "bmp"),
        ("L", "png"),
        ("LA", "png"),
        ("1", "png"),
        ("P", "png"),
        ("P", "gif"),
        ("L", "tiff"),
        ("CMYK", "tiff"),
    ],
)
def test_lossless_pictures_keep_their_colours(
    tmp_path: Path, mode: str, picture_format: str
) -> None:
    picture = photo(mode=mode)
    result = seen(tmp_path, encoded(picture, picture_format))
    alpha = mode in {"RGBA", "LA"}
    assert result.mode == ("RGBA" if alpha else "RGB")
    assert furthest(result, picture.convert(result.mode), result.mode) == 0


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpegs_keep_their_colours(tmp_path: Path, mode: str) -> None:
    result = seen(tmp_path, picture_bytes(mode, quality=95, subsampling=0))
    assert result.mode == "RGB"
    assert difference(result, photo(mode=mode)) < 3


def test_yccbcr_tiff(tmp_path: Path) -> None:
    assert difference(seen(tmp_path, encoded(photo(mode="YCbCr"), "tiff")), photo()) < 2


def test_lab_tiff(tmp_path: Path) -> None:
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    assert difference(seen(tmp_path, encoded(to_lab.apply(photo()), "tiff")), photo()) < 4


def test_a_transparent_palette_entry(tmp_path: Path) -> None:
    picture = photo(mode="P")
    result = seen(tmp_path, encoded(picture, "png", transparency=picture.getpixel((0, 0))))
    assert result.mode == "RGBA"
    assert result.getpixel((0, 0))[3] == 0  # type: ignore[index]
    assert result.getchannel("A").getextrema() == (0, 255)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_transparent_colour(tmp_path: Path, mode: str) -> None:
    picture = Image.new(mode, (4, 4), (9, 9, 9)[: len(mode)] if mode == "RGB" else 9)
    picture.paste((200, 0, 0) if mode == "RGB" else 200, (0, 0, 2, 4))
    clear = (9, 9, 9) if mode == "RGB" else 9
    result = seen(tmp_path, encoded(picture, "png", transparency=clear))
    assert [result.getpixel((x, 0))[3] for x in range(4)] == [255, 255, 0, 0]  # type: ignore[index]


def _sixteen(levels: list[int], mode: str = "I;16") -> Image.Image:
    raw = b"".join(level.to_bytes(2, "big" if mode == "I;16B" else "little") for level in levels)
    return Image.frombytes(mode, (len(levels), 1), raw)


@pytest.mark.parametrize("picture_format", ["png", "tiff"])
def test_sixteen_bits_are_scaled_not_cut_off(tmp_path: Path, picture_format: str) -> None:
    picture = _sixteen([0, 128, 129, 257, 32_768, 65_535])
    result = seen(tmp_path, encoded(picture, picture_format)).convert("L")
    assert list(result.tobytes()) == [0, 0, 1, 1, 128, 255]


def test_sixteen_bits_of_either_order_agree() -> None:
    levels = [0, 1000, 40_000, 65_535]
    assert prepare(_sixteen(levels)).tobytes() == prepare(_sixteen(levels, "I;16B")).tobytes()


def test_a_transparent_sixteen_bit_level() -> None:
    picture = _sixteen([0, 1000, 65_535])
    picture.info["transparency"] = 1000
    result = prepare(picture)
    assert list(result.getchannel("A").tobytes()) == [255, 0, 255]


@pytest.mark.parametrize(
    ("mode", "levels", "expected"),
    [
        ("F", [0.0, 0.5, 1.0], [0, 128, 255]),
        ("F", [0.0, 127.0, 255.0], [0, 127, 255]),
        ("F", [-1.0, 0.0, 1.0], [0, 128, 255]),
        ("I", [0, 7, 255], [0, 7, 255]),
        ("I", [0, 32_768, 65_535], [0, 128, 255]),
        ("I", [0, 1 << 30, 1 << 31 - 1], [0, 255, 255]),
        ("I", [5, 5, 5], [5, 5, 5]),
        ("I", [-5, -5, -5], [0, 0, 0]),
    ],
)
def test_numbers_find_their_white(mode: str, levels: list[float], expected: list[int]) -> None:
    picture = Image.new(mode, (3, 1))
    for x, level in enumerate(levels):
        picture.putpixel((x, 0), level)
    assert [abs(a - b) <= 1 for a, b in zip(prepare(picture).tobytes(), expected, strict=True)] == [
        True
    ] * 3


def test_what_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not numbers"):
        prepare(Image.new("F", (2, 2), float("nan")))


def test_a_profile_is_followed_and_left_out(tmp_path: Path) -> None:
    red = Image.new("RGB", (32, 32), (255, 0, 0))
    data = encoded(red, "jpeg", icc=pictures.swapped_profile(), quality=100, subsampling=0)
    result = seen(tmp_path, data)
    assert difference(result, Image.new("RGB", red.size, (0, 255, 0))) < 3
    assert "icc_profile" not in result.info


def test_a_profile_is_followed_beside_alpha() -> None:
    picture = photo(mode="RGBA")
    result = to_srgb(picture, pictures.swapped_profile())
    red, green, blue, alpha = picture.split()
    assert difference(result, Image.merge("RGB", (green, red, blue))) < 2
    assert result.getchannel("A").tobytes() == alpha.tobytes()


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_a_gray_profile_is_followed(mode: str) -> None:
    linear = pictures.gray_profile(gamma=1.0)
    assert ImageCms.ImageCmsProfile(io.BytesIO(linear)).profile.xcolor_space == "GRAY"
    picture = Image.new("L", (4, 4), 55).convert(mode)
    # Half-way up a linear scale is 188 in sRGB; 55/255 linear is 128.
    level = to_srgb(picture, linear).getpixel((0, 0))
    assert isinstance(level, tuple)
    assert abs(level[0] - 128) <= 2
    assert level[0] == level[1] == level[2]


@pytest.mark.parametrize("profile", [b"", b"nonsense", bytes(200), pictures.gray_profile()])
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_a_broken_or_foreign_profile_is_ignored(mode: str, profile: bytes) -> None:
    picture = photo(mode=mode)
    if mode == "RGB" and profile == pictures.gray_profile():
        picture = picture.convert("L").convert("RGB")
        assert to_srgb(picture, profile).mode == "RGB"
        return
    assert furthest(to_srgb(picture, profile), picture.convert("RGB")) == 0


def test_an_srgb_profile_changes_nothing() -> None:
    picture = photo()
    assert furthest(to_srgb(picture, pictures.srgb_profile()), picture) == 0


def test_cut_profiles_are_ignored() -> None:
    profile, picture = pictures.swapped_profile(), photo((8, 8))
    for length in range(0, len(profile), 7):
        assert to_srgb(picture, profile[:length]).size == picture.size
