"""How near colours come to what they should be, in ΔE of 1976: 1 is hardly to be seen."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from service.imaging import Limits, Recipe, probe, render
from tests.pictures import encoded, photo, png_chunk
from tests.profiles import (
    Numbers,
    apart,
    display_profile,
    press,
    press_profile,
    srgb_of,
    srgb_of_xyz,
    xyz_of_lab,
)
from tests.unit.imaging.similar import difference, furthest, shown

#: Every colour of 18 levels a channel, and every mixture of six steps of four inks.
CUBE = np.array(list(product(range(0, 256, 15), repeat=3)), np.uint8)
INKS = np.array(list(product(range(0, 256, 51), repeat=4)), np.uint8)


def row(mode: str, levels: Any) -> Image.Image:
    return Image.frombytes(mode, (len(levels), 1), levels.tobytes())


def seen(tmp_path: Path, data: bytes) -> Numbers:
    """What a PNG variant shows, as sRGB 0..1."""
    stored = tmp_path / "original"
    stored.write_bytes(data)
    (variant,) = render(stored, probe(stored, Limits()), [Recipe(name="v", format="png")])
    found: Numbers = np.asarray(shown(variant).convert("RGB"))[0] / 255
    return found


@pytest.mark.parametrize("space", ["Display P3", "Adobe RGB", "sRGB linear"])
@pytest.mark.parametrize("picture_format", ["png", "tiff"])
def test_wide_colours_come_within_a_rounding(
    tmp_path: Path, space: str, picture_format: str
) -> None:
    data = encoded(row("RGB", CUBE), picture_format, icc=display_profile(space))
    off = apart(seen(tmp_path, data), srgb_of(space, CUBE / 255))
    assert off.max() < 0.8
    assert apart(CUBE / 255, srgb_of(space, CUBE / 255)).max() > 10


def test_colours_of_srgb_are_left_to_the_bit(tmp_path: Path) -> None:
    data = encoded(row("RGB", CUBE), "png", icc=display_profile("sRGB"))
    assert (seen(tmp_path, data) * 255 == CUBE).all()


def test_inks_come_near_what_littlecms_makes_of_them_at_its_best(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(BytesIO(press_profile()))
    at_its_best = ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        "CMYK",
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOOPTIMIZE,
    )
    exact = np.asarray(at_its_best.apply(row("CMYK", INKS)))[0] / 255
    off = apart(seen(tmp_path, encoded(row("CMYK", INKS), "tiff", icc=press_profile())), exact)
    assert off.max() < 1.5
    assert off.mean() < 0.1
    assert apart(press(INKS / 255), exact).mean() < 1.5


def test_lab_comes_near(tmp_path: Path) -> None:
    axis = range(-90, 91, 15)
    lab = np.array(list(product(range(0, 256, 15), axis, axis)))
    data = lab_tiff((lab & 255).astype(np.uint8))
    xyz = xyz_of_lab(lab * [100 / 255, 1, 1])
    exact = srgb_of_xyz(xyz)
    off = apart(seen(tmp_path, data), exact)[((exact > 0) & (exact < 1)).all(axis=-1)]
    assert len(off) > 500
    assert off.max() < 2.5
    assert off.mean() < 0.5


def lab_tiff(levels: Any) -> bytes:
    """A row of CIELAB, a and b with a sign (TIFF 6.0, section 23)."""
    return row_tiff(levels.tobytes(), len(levels), bits=8, photometric=8)


def row_tiff(raw: bytes, width: int, bits: int, photometric: int) -> bytes:
    """A row of three samples a pixel."""
    start = 16 + len(raw)
    tags = [(256, width), (257, 1), (258, 8), (259, 1), (262, photometric), (273, 16), (277, 3)]
    tags += [(278, 1), (279, len(raw))]
    counts = {258: 3}
    entries = (
        struct.pack("<HHII", tag, 3 if tag == 258 else 4, counts.get(tag, 1), value)
        for tag, value in tags
    )
    head = struct.pack("<4sI3H2x", b"II*\0", start, bits, bits, bits)
    return head + raw + struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4)


def sixteen_bit_png(raw: bytes, width: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, 1, 16, 2, 0, 0, 0)
    pixels = png_chunk(b"IDAT", zlib.compress(b"\0" + raw))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + pixels + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("picture_format", ["png", "tiff"])
def test_colours_of_sixteen_bits_keep_their_upper_eight(
    tmp_path: Path, picture_format: str
) -> None:
    levels = np.array(list(product(range(0, 65_536, 4_369), repeat=3))) // [1, 2, 3]
    if picture_format == "png":
        data = sixteen_bit_png(levels.astype(">u2").tobytes(), len(levels))
    else:
        data = row_tiff(levels.astype("<u2").tobytes(), len(levels), bits=16, photometric=2)
    found = seen(tmp_path, data)
    assert (found * 255 == levels >> 8).all()
    assert apart(found, levels / 65_535).max() < 1.5


def test_of_a_picture_of_a_phone_the_first_is_shown(tmp_path: Path) -> None:
    second = Image.new("RGB", (96, 64), (9, 200, 9))
    data = encoded(photo(), "mpo", save_all=True, append_images=[second])
    stored = tmp_path / "original"
    stored.write_bytes(data)
    (variant,) = render(stored, probe(stored, Limits()), [Recipe(name="v", format="png")])
    assert difference(shown(variant), photo()) < 5
    first = Image.open(BytesIO(data))
    assert furthest(shown(variant), first) == 0
