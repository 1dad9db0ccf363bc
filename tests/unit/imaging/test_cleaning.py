"""Originals as they are served: no place, no maker, the same pixels, the same length."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageSequence, TiffImagePlugin

from service.errors import Unshowable
from service.imaging import Limits, Patch, patched, patches, probe
from service.imaging.cleaning import gif
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


def _after(head: int, planted: bytes, picture_format: str) -> bytes:
    """A file with something between its head and the rest."""
    data = pictures.picture_bytes(picture_format=picture_format)
    return data[:head] + planted + data[head:]


def _jpeg(marker: int, payload: bytes) -> bytes:
    return _after(2, pictures.jpeg_segment(marker, payload), "jpeg")


def _gif(extension: bytes) -> bytes:
    data = pictures.animation(3, "gif")
    at = data.index(b"\x21\xf9")
    return data[:at] + extension + data[at:]


def _block(text: bytes) -> bytes:
    return bytes([len(text)]) + text + b"\0"


def _webp(kind: bytes, payload: bytes) -> bytes:
    """A WebP with one more chunk, in a file that counts it."""
    data = told("webp") + kind + struct.pack("<I", len(payload)) + payload + bytes(len(payload) & 1)
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def _tiff(tag: int, value: Any, **options: Any) -> bytes:
    tags: Any = TiffImagePlugin.ImageFileDirectory_v2()
    tags[tag] = value
    return encoded(photo(), "tiff", tiffinfo=tags, **options)


def _tiff_pages() -> bytes:
    tags: Any = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270] = PLACE.decode()
    pages = [photo((40, 30)), photo((20, 10))]
    return encoded(photo(), "tiff", tiffinfo=tags, save_all=True, append_images=pages)


_MAGIC = bytes([1, *range(255, -1, -1), 0])

#: Each place of each format where words can stand.
PLANTED: dict[str, Callable[[], bytes]] = {
    "jpeg comment": lambda: _jpeg(0xFE, PLACE),
    "jpeg iptc": lambda: _jpeg(0xED, b"Photoshop 3.0\0" + PLACE),
    "jpeg xmp": lambda: _jpeg(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
    "jpeg extended xmp": lambda: _jpeg(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + PLACE),
    "jpeg of an application": lambda: _jpeg(0xEB, b"JP\0\0jumb" + PLACE),
    "jpeg small picture": lambda: _jpeg(0xE0, b"JFXX\0" + PLACE),
    "jpeg reserved": lambda: _jpeg(0xE2, b"FPXR\0" + PLACE),
    "jpeg between segments": lambda: _after(20, PLACE, "jpeg"),
    "jpeg after the scans": lambda: (
        pictures.picture_bytes(progressive=True)[:-2]
        + pictures.jpeg_segment(0xFE, PLACE)
        + b"\xff\xd9"
    ),
    "jpeg a film behind it": lambda: pictures.picture_bytes() + b"\0\0\0\x18ftypmp42" + PLACE,
    "jpeg second picture": lambda: pictures.picture_bytes() + _jpeg(0xFE, PLACE),
    "png text": lambda: _after(33, png_chunk(b"tEXt", b"Comment\0" + PLACE), "png"),
    "png xmp": lambda: _after(33, png_chunk(b"iTXt", b"XML\0\0\0\0\0" + XMP), "png"),
    "png of an application": lambda: _after(33, png_chunk(b"caBX", PLACE), "png"),
    "png behind it": lambda: pictures.picture_bytes(picture_format="png") + PLACE,
    "gif comment": lambda: _gif(b"\x21\xfe" + _block(PLACE)),
    "gif xmp": lambda: _gif(b"\x21\xff\x0bXMP DataXMP" + XMP + _MAGIC),
    "gif of an application": lambda: _gif(b"\x21\xff\x0bMGK8BIM0000" + _block(PLACE)),
    "gif text": lambda: _gif(b"\x21\x01\x0c" + bytes(12) + _block(PLACE)),
    "gif behind it": lambda: pictures.animation(3) + PLACE,
    "webp of an application": lambda: _webp(b"SPAM", PLACE),
    "webp behind it": lambda: told("webp") + PLACE,
    "tiff description": lambda: _tiff(270, PLACE.decode()),
    "tiff artist": lambda: _tiff(315, PLACE.decode()),
    "tiff iptc": lambda: _tiff(33723, PLACE),
    "tiff map": lambda: _tiff(34737, PLACE.decode()),
    "tiff of an application": lambda: _tiff(65_000, PLACE.decode()),
    "tiff of 64 bits": lambda: _tiff(270, PLACE.decode(), big_tiff=True),
    "tiff compressed": lambda: _tiff(270, PLACE.decode(), compression="tiff_lzw"),
    "tiff pages": _tiff_pages,
    "avif of an application": lambda: (
        told("avif") + struct.pack(">I4s", 8 + 40, b"uuid") + PLACE * 2
    ),
}


def _frames(data: bytes) -> list[Image.Image]:
    image = Image.open(io.BytesIO(data))
    return [frame.convert("RGBA") for frame in ImageSequence.Iterator(image)]


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_not_served(tmp_path: Path, name: str) -> None:
    data, picture_format = PLANTED[name](), name.split()[0]
    assert PLACE in data
    served = clean(tmp_path, data, picture_format)
    assert len(served) == len(data)
    assert PLACE not in served
    assert [one.tobytes() for one in _frames(served)] == [one.tobytes() for one in _frames(data)]
    before, after = probe(data, Limits()), probe(served, Limits())
    assert replace(after, metadata=()) == replace(before, metadata=())
    (tmp_path / "original").write_bytes(served)
    assert patches(tmp_path / "original", picture_format) == ()


def test_what_no_decoder_takes_is_not_served_either(tmp_path: Path) -> None:
    jpeg, png = pictures.picture_bytes(), pictures.picture_bytes(picture_format="png")
    reserved = pictures.jpeg_segment(0x55, PLACE)
    cut = struct.pack(">I", 99) + b"tEXt" + PLACE
    assert PLACE not in clean(tmp_path, jpeg[:-2] + reserved + b"\xff\xd9", "jpeg")
    assert PLACE not in clean(tmp_path, jpeg[:20] + PLACE, "jpeg")
    assert PLACE not in clean(tmp_path, png[:-12] + cut, "png")
    assert PLACE not in clean(tmp_path, pictures.animation(2)[:-1] + b"\x99" + PLACE, "gif")


def test_no_text_of_a_png_is_left(tmp_path: Path) -> None:
    image: Any = Image.open(io.BytesIO(clean(tmp_path, PLANTED["png text"](), "png")))
    image.load()
    assert image.text == {}


def test_a_gif_is_shown_as_often_as_before(tmp_path: Path) -> None:
    data = encoded(photo(mode="P"), "gif", loop=7, comment=PLACE)
    served = Image.open(io.BytesIO(clean(tmp_path, data, "gif")))
    assert served.info["loop"] == 7
    assert served.info["comment"].strip(b"\0") == b""


def test_what_a_picture_of_a_phone_leads_to_is_found_after_cleaning(tmp_path: Path) -> None:
    both = encoded(photo(), "mpo", save_all=True, append_images=[photo((32, 24))])
    served = _frames(clean(tmp_path, both, "jpeg"))
    assert [one.size for one in served] == [(96, 64), (32, 24)]
    assert [one.tobytes() for one in served] == [one.tobytes() for one in _frames(both)]


@given(st.binary(min_size=30, max_size=700), st.integers(0, 9), st.integers(1, 90))
def test_any_piece_is_changed_as_the_whole(data: bytes, start: int, size: int) -> None:
    changes = (Patch(start, b"abc", zeros=size), Patch(start + 40, zeros=20))
    whole = patched(data, 0, changes)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert b"".join(patched(one, n * size, changes) for n, one in enumerate(pieces)) == whole
    assert whole[start : start + 3] == b"abc"


@given(st.lists(st.binary(max_size=300), max_size=4))
def test_any_extension_of_a_gif_stays_one(texts: list[bytes]) -> None:
    blocks = b"".join(bytes([len(text) % 256]) + text[: len(text) % 256] for text in texts if text)
    data = _gif(b"\x21\xfe" + blocks + b"\0")
    served = bytearray(data)
    for change in gif.clean(data):
        served[change.offset : change.end] = change.between(change.offset, change.end)
    assert len(served) == len(data)
    assert probe(bytes(served), Limits()).frames == probe(data, Limits()).frames


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
