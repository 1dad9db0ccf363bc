"""HEIC, where the extra `heic` is installed: made by its own encoder."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps

from service.errors import BrokenPicture, PictureTooLarge, UnreadablePicture, UnsupportedFormat
from service.imaging import (
    SNIFF_BYTES,
    Limits,
    Probe,
    Recipe,
    Rendered,
    patched,
    patches,
    probe,
    render,
    sniff,
)
from service.imaging.encode import flattened
from service.imaging.words import Resize
from tests.heic import PLACE, heic, with_place
from tests.pictures import photo
from tests.unit.imaging.similar import difference, furthest, shown

LIMITS = Limits(formats=frozenset({"heic"}))


def seen(tmp_path: Path, data: bytes, *operations: Any) -> Rendered:
    stored = tmp_path / "original"
    stored.write_bytes(data)
    (variant,) = render(
        stored, probe(stored, LIMITS), [Recipe(name="v", operations=operations, format="png")]
    )
    return variant


def test_it_is_described() -> None:
    data = heic(photo())
    assert sniff(data[:SNIFF_BYTES]) == "heic"
    assert probe(data, LIMITS) == Probe("heic", "image/heic", 96, 64, 1, 1, alpha=False)
    assert probe(heic(photo(mode="RGBA")), LIMITS).alpha
    told = probe(with_place(), LIMITS).metadata
    assert told == ("exif", "gps", "icc", "xmp")


def test_it_is_taken_in_only_where_it_is_named() -> None:
    with pytest.raises(UnsupportedFormat):
        probe(heic(photo()), Limits())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_once(tmp_path: Path, orientation: int) -> None:
    """Its encoder writes what EXIF says as `irot` and `imir`, and EXIF as it was."""
    turned = photo((120, 80))
    block = Image.Exif()
    block[0x0112] = orientation
    turned.info["exif"] = block.tobytes()
    data = heic(turned)
    expected = ImageOps.exif_transpose(turned)
    header = probe(data, LIMITS)
    assert (header.width, header.height) == expected.size
    assert header.orientation == 1
    variant = seen(tmp_path, data)
    assert (variant.width, variant.height) == expected.size
    assert difference(shown(variant), expected) < 5


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_it_is_scaled_like_any_other(tmp_path: Path, mode: str) -> None:
    variant = seen(tmp_path, heic(photo((300, 200), mode)), Resize(width=60))
    found, expected = shown(variant), photo((60, 40), mode).convert("RGBA")
    assert difference(flattened(found.convert("RGBA")), flattened(expected)) < 5


def test_its_tiles_are_one_picture(tmp_path: Path) -> None:
    data = heic(photo((600, 400)), tile_size=256)
    assert data.count(b"hvc1") > 4
    assert (probe(data, LIMITS).width, probe(data, LIMITS).frames) == (600, 1)
    assert difference(shown(seen(tmp_path, data, Resize(width=60))), photo((60, 40))) < 5


def test_the_primary_picture_is_shown(tmp_path: Path) -> None:
    data = heic(photo(), Image.new("RGB", (40, 30), "green"), primary_index=1)
    variant = seen(tmp_path, data)
    assert (variant.width, variant.height) == (40, 30)
    assert difference(shown(variant), Image.new("RGB", (40, 30), "green")) < 5


def test_its_limits_are_those_of_its_header() -> None:
    data = heic(photo(), *[photo((16, 16))] * 3)
    at_them = replace(LIMITS, max_pixels=96 * 64, max_side_px=96, max_frames=4)
    assert probe(data, at_them).width == 96
    for limits, actual in (
        ({"max_pixels": 96 * 64 - 1}, 96 * 64),
        ({"max_side_px": 95}, 96),
        ({"max_frames": 3}, 4),
    ):
        with pytest.raises(PictureTooLarge) as caught:
            probe(data, replace(LIMITS, **limits))  # type: ignore[arg-type]
        assert caught.value.actual == actual


def test_a_bomb_is_refused_before_its_decoder_sees_it() -> None:
    data = bytearray(heic(photo()))
    at = data.index(b"ispe")
    data[at + 8 : at + 16] = struct.pack(">II", 16_000, 16_000)
    with pytest.raises(PictureTooLarge):
        probe(bytes(data), LIMITS)


def test_another_size_than_that_of_the_header_is_broken(tmp_path: Path) -> None:
    data = bytearray(heic(photo((640, 480))))
    at = data.index(b"ispe")
    data[at + 8 : at + 16] = struct.pack(">II", 64, 48)
    with pytest.raises((BrokenPicture, UnreadablePicture)):
        seen(tmp_path, bytes(data))


def test_its_original_is_served_without_what_it_tells(tmp_path: Path) -> None:
    for orientation in (1, 6):
        data = with_place(orientation)
        stored = tmp_path / "original"
        stored.write_bytes(data)
        assert PLACE in data
        served = patched(data, 0, patches(stored, "heic"))
        assert len(served) == len(data)
        assert PLACE not in served
        before, after = probe(data, LIMITS), probe(served, LIMITS)
        assert not {"gps", "comment"} & set(after.metadata)
        assert (after.width, after.height) == (before.width, before.height)
        assert furthest(shown(seen(tmp_path, served)), shown(seen(tmp_path, data))) == 0


def test_every_cut_is_read_or_refused() -> None:
    data = heic(photo((16, 16)))
    outcomes = set()
    for length in range(0, len(data), 3):
        try:
            outcomes.add(probe(data[:length], LIMITS).format)
        except (UnreadablePicture, UnsupportedFormat) as refused:
            outcomes.add(type(refused).__name__)
    assert {"UnreadablePicture", "UnsupportedFormat"} <= outcomes


def test_changed_bytes_are_shown_or_broken(tmp_path: Path) -> None:
    data = heic(photo((24, 16)))
    made = 0
    for at in range(0, len(data), max(1, len(data) // 150)):
        try:
            made += seen(tmp_path, data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]).width > 0
        except (BrokenPicture, UnreadablePicture, UnsupportedFormat, PictureTooLarge):
            continue
    assert made > 0
