"""Originals as they are served: no place, no maker, the same pixels, the same length."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, TiffImagePlugin

from service.errors import Unshowable
from service.imaging import Limits, patched, patches, probe
from tests import pictures
from tests.pictures import encoded, photo, png_chunk, srgb_profile
from tests.unit.imaging.similar import furthest

MAKER, PLACE = "Maker-4711", b"47.1190N 8.5412E"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><GPS>' + PLACE + b"</GPS></x:xmpmeta>"
#: 47 degrees and a fraction that is to be found again.
DEGREES = (47.123456, 11.0, 12.5)


def told(picture_format: str, orientation: int = 6, **options: Any) -> bytes:
    """A picture that says who took it, and where."""
    options["icc_profile"] = srgb_profile()
    if picture_format == "tiff":
        return encoded(photo(), "tiff", tiffinfo=_directory(), **options)
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x010F] = MAKER
    block.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + PLACE
    place = block.get_ifd(0x8825)
    place[1], place[2] = "N", DEGREES
    if picture_format in {"jpeg", "webp", "avif"}:
        options["xmp"] = XMP
    return encoded(photo(), picture_format, **options, exif=block)


def _directory() -> TiffImagePlugin.ImageFileDirectory_v2:
    """The same, as the tags of a TIFF."""
    tags: Any = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x8825] = {1: "N", 2: DEGREES}
    tags[0x8769] = {0x9286: b"ASCII\0\0\0" + PLACE}
    tags[700] = XMP
    return tags  # type: ignore[no-any-return]


def _numerator() -> int:
    """What stands in the file for the degrees, above the line of their fraction."""
    return int(TiffImagePlugin.IFDRational(DEGREES[0]).limit_rational(2**32 - 1)[0])


def clean(tmp_path: Path, data: bytes, picture_format: str) -> bytes:
    stored = tmp_path / "original"
    stored.write_bytes(data)
    changes = patches(stored, picture_format)
    pieces = [data[at : at + 1_000] for at in range(0, len(data), 1_000)]
    return b"".join(patched(piece, 1_000 * n, changes) for n, piece in enumerate(pieces))


@pytest.mark.parametrize("picture_format", ["jpeg", "png", "webp", "tiff", "avif"])
def test_no_original_tells_its_place(tmp_path: Path, picture_format: str) -> None:
    data = told(picture_format)
    before = probe(data, Limits())
    assert {"exif", "gps"} & set(before.metadata)
    assert PLACE in data
    served = clean(tmp_path, data, picture_format)
    after = probe(served, Limits())
    assert len(served) == len(data)
    assert PLACE not in served
    numerators = [struct.pack(order + "I", _numerator()) for order in "<>"]
    assert any(one in data for one in numerators)
    assert not any(one in served for one in numerators)
    seen = Image.open(io.BytesIO(served))
    assert dict(seen.getexif().get_ifd(0x8825)) == {}
    assert (after.width, after.height, after.orientation) == (
        before.width,
        before.height,
        before.orientation,
    )
    assert "icc" in after.metadata
    assert furthest(seen.convert("RGB"), Image.open(io.BytesIO(data)).convert("RGB")) == 0


@pytest.mark.parametrize("picture_format", ["jpeg", "png", "webp"])
def test_the_maker_is_gone_and_the_orientation_stays(tmp_path: Path, picture_format: str) -> None:
    for orientation in (1, 3, 8):
        served = clean(tmp_path, told(picture_format, orientation), picture_format)
        assert MAKER.encode() not in served
        assert dict(Image.open(io.BytesIO(served)).getexif()) == {0x0112: orientation}


def test_the_second_picture_of_a_phone_is_cleaned_too(tmp_path: Path) -> None:
    both = told("jpeg") + told("jpeg", 3)
    served = clean(tmp_path, both, "jpeg")
    assert PLACE not in served
    assert served.count(b"Exif\0\0") == 2


def test_iptc_and_texts_are_blank(tmp_path: Path) -> None:
    segment = pictures.jpeg_segment(0xED, b"Photoshop 3.0\0" + PLACE)
    assert PLACE not in clean(tmp_path, pictures.jpeg_with_segments(segment), "jpeg")
    png = pictures.picture_bytes(picture_format="png")
    texts = png_chunk(b"tEXt", b"Comment\0" + PLACE) + png_chunk(b"iTXt", b"XML\0\0\0\0\0" + XMP)
    served = clean(tmp_path, png[:33] + texts + png[33:], "png")
    assert PLACE not in served
    image: Any = Image.open(io.BytesIO(served))
    image.load()
    assert image.text == {}


def test_the_xmp_of_a_gif_is_blank(tmp_path: Path) -> None:
    trailer = bytes([1, *range(255, -1, -1), 0])
    extension = b"\x21\xff\x0bXMP DataXMP" + XMP + trailer
    gif = pictures.picture_bytes("P", picture_format="gif")
    data = gif[:-1] + extension + b";"
    assert "xmp" in probe(data, Limits()).metadata
    served = clean(tmp_path, data, "gif")
    assert PLACE not in served
    assert furthest(Image.open(io.BytesIO(served)).convert("RGB"), photo()) < 90


def test_an_honest_file_is_left_alone(tmp_path: Path) -> None:
    for picture_format in ("jpeg", "png", "webp", "gif", "tiff", "avif", "bmp"):
        data = pictures.picture_bytes(picture_format=picture_format)
        assert clean(tmp_path, data, picture_format) == data
        assert set(probe(data, Limits()).metadata) <= {"exif"}


@pytest.mark.parametrize("picture_format", ["jpeg", "png", "webp", "tiff", "avif"])
def test_a_hostile_file_is_cleaned_or_refused(tmp_path: Path, picture_format: str) -> None:
    data = told(picture_format)
    for at in range(0, min(len(data), 4_000), 7):
        broken = data[:at] + bytes([data[at] ^ 0x91]) + data[at + 1 :]
        try:
            assert len(clean(tmp_path, broken, picture_format)) == len(data)
        except Unshowable:
            continue


def test_a_big_tiff_is_refused(tmp_path: Path) -> None:
    data = encoded(photo(), "tiff", big_tiff=True)
    with pytest.raises(Unshowable):
        clean(tmp_path, data, "tiff")


@pytest.mark.parametrize(
    ("picture_format", "kinds"),
    [
        ("jpeg", ("exif", "gps", "icc", "xmp")),
        ("png", ("exif", "gps", "icc")),
        ("webp", ("exif", "gps", "icc", "xmp")),
        ("avif", ("exif", "gps", "icc", "xmp")),
        ("tiff", ("exif", "gps", "icc", "xmp")),
    ],
)
def test_a_probe_tells_what_a_file_holds(picture_format: str, kinds: tuple[str, ...]) -> None:
    assert probe(told(picture_format), Limits()).metadata == kinds


def test_comments_are_told(tmp_path: Path) -> None:
    for picture_format in ("jpeg", "png", "gif"):
        assert "comment" in probe(pictures.with_secrets(picture_format), Limits()).metadata
