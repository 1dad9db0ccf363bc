"""Headers: what is told of honest ones, and what hostile ones may cost."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import PictureTooLarge, UnreadablePicture, UnsupportedFormat
from service.imaging import SNIFF_BYTES, Limits, Probe, probe, sniff
from tests import pictures
from tests.pictures import picture_bytes

FORMATS = ("jpeg", "png", "webp", "gif", "avif", "tiff", "bmp")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return tmp_path / "original"


def examine(stored: Path, data: bytes, limits: Limits | None = None) -> Probe:
    stored.write_bytes(data)
    return probe(stored, limits or Limits())


@pytest.mark.parametrize("picture_format", FORMATS)
def test_an_honest_picture_is_described(stored: Path, picture_format: str) -> None:
    seen = examine(stored, picture_bytes(picture_format=picture_format))
    assert seen == Probe(
        format=picture_format,
        content_type=f"image/{picture_format}",
        width=96,
        height=64,
        orientation=1,
        frames=1,
        alpha=False,
    )


@pytest.mark.parametrize("picture_format", FORMATS)
def test_sniffing_needs_no_more_than_its_bytes(picture_format: str) -> None:
    head = picture_bytes(picture_format=picture_format)[:SNIFF_BYTES]
    assert sniff(head) == picture_format


@given(st.binary(max_size=SNIFF_BYTES))
def test_sniffing_never_raises(head: bytes) -> None:
    assert sniff(head) in {None, *FORMATS}


def test_an_avif_brand_after_another_major_brand_is_known() -> None:
    box = b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif"
    assert sniff(box) == "avif"
    assert sniff(box.replace(b"avif", b"heic")) == "heic"
    assert sniff(box.replace(b"avif", b"miaf")) is None


@pytest.mark.parametrize(
    "foreign", [b"", b"%PDF-1.7", b"%!PS-Adobe-3.0 EPSF", b"<svg/>", b"8BPS", b"\0\0\1\0", b"GIF8"]
)
def test_foreign_formats_are_refused(stored: Path, foreign: bytes) -> None:
    with pytest.raises(UnsupportedFormat):
        examine(stored, foreign.ljust(len(foreign) and 100, b" "))


def test_a_format_taken_off_the_list_is_refused(stored: Path) -> None:
    limits = Limits(formats=frozenset({"png"}))
    assert examine(stored, picture_bytes(picture_format="png"), limits).format == "png"
    with pytest.raises(UnsupportedFormat):
        examine(stored, picture_bytes(), limits)


def test_a_phone_photograph_with_a_second_image_is_a_jpeg(stored: Path) -> None:
    data = pictures.encoded(
        pictures.photo(), "mpo", save_all=True, append_images=[pictures.photo((32, 32))]
    )
    seen = examine(stored, data)
    assert (seen.format, seen.frames, seen.width) == ("jpeg", 1, 96)


def test_bytes_after_the_end_do_not_count_as_scans(stored: Path) -> None:
    data = picture_bytes(progressive=True) + b"\xff\xda\0\2" * 100_000
    assert examine(stored, data).format == "jpeg"


@pytest.mark.parametrize("picture_format", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_are_as_displayed(stored: Path, picture_format: str, orientation: int) -> None:
    data = picture_bytes(picture_format=picture_format, orientation=orientation)
    seen = examine(stored, data)
    assert seen.orientation == orientation
    assert (seen.width, seen.height) == ((64, 96) if orientation > 4 else (96, 64))


def test_a_tiff_is_turned_by_its_decoder(stored: Path) -> None:
    seen = examine(stored, picture_bytes(picture_format="tiff", orientation=6))
    assert (seen.width, seen.height, seen.orientation) == (64, 96, 1)


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_nonsense_orientation_is_ignored(stored: Path, orientation: int) -> None:
    assert examine(stored, picture_bytes(orientation=orientation)).orientation == 1


@pytest.mark.parametrize(
    "block", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff" + b"\1" * 40]
)
def test_corrupt_exif_is_no_reason_to_refuse(stored: Path, block: bytes) -> None:
    segment = pictures.jpeg_segment(0xE1, b"Exif\0\0" + block)
    assert examine(stored, pictures.jpeg_with_segments(segment)).orientation == 1


def test_a_corrupt_tag_of_a_tiff_is_not_announced(stored: Path) -> None:
    data = bytearray(picture_bytes(picture_format="tiff", compression="raw", software="x" * 40))
    at = data.index(b"\x31\x01\x02\x00")
    data[at + 8 : at + 12] = b"\xf0\xff\xff\x7f"
    assert examine(stored, bytes(data)).width == 96


@pytest.mark.parametrize(
    ("mode", "picture_format", "alpha"),
    [
        ("RGBA", "png", True),
        ("LA", "png", True),
        ("P", "png", False),
        ("RGBA", "webp", True),
        ("RGB", "webp", False),
        ("RGBA", "gif", True),
        ("RGBA", "avif", True),
        ("RGBA", "tiff", True),
        ("CMYK", "jpeg", False),
    ],
)
def test_alpha(stored: Path, mode: str, picture_format: str, alpha: bool) -> None:
    assert examine(stored, picture_bytes(mode, picture_format=picture_format)).alpha is alpha


def test_one_transparent_colour_counts_as_alpha(stored: Path) -> None:
    assert examine(stored, picture_bytes(picture_format="png", transparency=(1, 2, 3))).alpha


@pytest.mark.parametrize("picture_format", ["gif", "webp", "png", "tiff", "avif"])
def test_frames_are_counted_and_limited(stored: Path, picture_format: str) -> None:
    data = pictures.animation(5, picture_format)
    assert examine(stored, data, Limits(max_frames=5)).frames == 5
    with pytest.raises(PictureTooLarge) as caught:
        examine(stored, data, Limits(max_frames=4))
    assert (caught.value.limit, caught.value.actual) == (4, 5)


def test_pages_of_a_big_tiff_are_counted(stored: Path) -> None:
    pages = [pictures.photo((8, 8))] * 2
    data = pictures.encoded(pages[0], "tiff", save_all=True, append_images=pages[1:], big_tiff=True)
    assert data[2] == 43
    assert examine(stored, data).frames == 2


def test_all_frames_together_are_limited(stored: Path) -> None:
    data = pictures.animation(9, size=(10, 10))
    assert examine(stored, data, Limits(max_pixels=225)).frames == 9
    with pytest.raises(PictureTooLarge) as caught:
        examine(stored, data, Limits(max_pixels=224))
    assert (caught.value.limit, caught.value.actual) == (896, 900)


@pytest.mark.parametrize("picture_format", FORMATS)
def test_pixels_and_sides_at_the_limit_and_beyond(stored: Path, picture_format: str) -> None:
    data = picture_bytes(picture_format=picture_format)
    assert examine(stored, data, Limits(max_pixels=96 * 64, max_side_px=96)).width == 96
    with pytest.raises(PictureTooLarge) as caught:
        examine(stored, data, Limits(max_pixels=96 * 64 - 1))
    assert (caught.value.limit, caught.value.actual) == (96 * 64 - 1, 96 * 64)
    with pytest.raises(PictureTooLarge) as caught:
        examine(stored, data, Limits(max_side_px=95))
    assert (caught.value.limit, caught.value.actual) == (95, 96)


@pytest.mark.parametrize(
    "header",
    [
        pictures.png_header,
        pictures.jpeg_header,
        pictures.gif_header,
        pictures.webp_header,
        pictures.bmp_header,
        pictures.tiff_header,
        pictures.avif_header,
    ],
)
@pytest.mark.parametrize("size", [(16_000, 16_000), (13_400, 13_300), (7_072, 7_072)])
def test_pixel_bombs_are_refused_by_their_header(
    stored: Path, header: object, size: tuple[int, int]
) -> None:
    assert callable(header)
    with pytest.raises(PictureTooLarge) as caught:
        examine(stored, header(*size))
    assert caught.value.actual == size[0] * size[1]


def test_our_limit_speaks_where_pillow_would_only_warn(stored: Path) -> None:
    data = pictures.png_header(13_400, 13_300)
    seen = examine(stored, data, Limits(max_pixels=13_400 * 13_300))
    assert (seen.width, seen.height) == (13_400, 13_300)


def test_a_first_frame_beyond_the_screen_of_a_gif_counts(stored: Path) -> None:
    data = bytearray(pictures.animation(1))
    at = data.index(b",")
    data[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(PictureTooLarge):
        examine(stored, bytes(data))


def test_frames_of_a_gif_count_until_one_reaches_out_of_its_screen(stored: Path) -> None:
    beside = pictures.GIF_FRAME[:1] + b"\x08\0" + pictures.GIF_FRAME[3:]
    data = pictures.GIF_SCREEN + pictures.GIF_FRAME * 3 + beside + pictures.GIF_FRAME + b";"
    assert examine(stored, data).frames == 3
    with pytest.raises(PictureTooLarge):
        examine(stored, data, Limits(max_frames=4))


def test_a_large_frame_of_a_gif_is_not_warned_about(stored: Path) -> None:
    data = bytearray(pictures.GIF_SCREEN + pictures.GIF_FRAME + b";")
    at = len(pictures.GIF_SCREEN)
    data[at + 5 : at + 9] = struct.pack("<HH", 13_400, 13_300)
    assert examine(stored, bytes(data), Limits(max_pixels=200_000_000)).width == 13_400


def test_scans_at_the_limit_and_beyond(stored: Path) -> None:
    assert examine(stored, pictures.jpeg_with_scans(100)).format == "jpeg"
    with pytest.raises(PictureTooLarge) as caught:
        examine(stored, pictures.jpeg_with_scans(150))
    assert (caught.value.limit, caught.value.actual) == (100, 101)


def test_scans_behind_a_false_end_are_counted(stored: Path) -> None:
    data = pictures.jpeg_with_scans(101)
    at = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    hidden = data[:at] + pictures.jpeg_segment(0xFE, b"\xff\xd9") + data[at:]
    with pytest.raises(PictureTooLarge):
        examine(stored, hidden)


_COMMENT = pictures.jpeg_segment(0xFE, b"")
_GIF, _FRAME = pictures.GIF_SCREEN, pictures.GIF_FRAME

COSTLY: dict[str, Callable[[], bytes]] = {
    "10 MB of fill bytes": lambda: pictures.jpeg_with_fill(10_000_000),
    "10 MB of junk": lambda: pictures.jpeg_with_segments(_COMMENT, bytes(10_000_000)),
    "2.5 million JPEG comments": lambda: pictures.jpeg_with_segments(_COMMENT * 2_500_000),
    "20 MB of Photoshop blocks": lambda: pictures.jpeg_with_segments(
        pictures.jpeg_segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\0\0\0\0\0\0\0" * 5_450) * 300
    ),
    "comments between scans": lambda: pictures.jpeg_with_scans(12)[:-2] + _COMMENT * 2_500_000,
    "200,000 PNG chunks": lambda: pictures.png_header(
        9, 9, pictures.png_chunk(b"spAm", b"") * 200_000
    ),
    "a million GIF comments": lambda: _GIF + b"!\xfe\x01x\0" * 1_000_000 + _FRAME + b";",
    "5 million GIF sub-blocks": lambda: _GIF + b"!\xfe" + b"\x01x" * 5_000_000 + _FRAME,
    "a million WebP chunks": lambda: (
        picture_bytes(picture_format="webp") + b"SPAM\0\0\0\0" * 1_000_000
    ),
    "an endless TIFF": lambda: pictures.tiff_pages(3, loop=True),
    "100,000 GIF frames": lambda: _GIF + _FRAME * 100_000 + b";",
}


@pytest.mark.parametrize("name", COSTLY)
def test_hostile_headers_cost_little(stored: Path, name: str) -> None:
    stored.write_bytes(COSTLY[name]())
    started = process_time()
    with pytest.raises((UnreadablePicture, PictureTooLarge)):
        probe(stored, Limits())
    assert process_time() - started < 0.25


@pytest.mark.parametrize("picture_format", FORMATS)
def test_every_cut_is_read_or_refused(stored: Path, picture_format: str) -> None:
    data = picture_bytes(picture_format=picture_format, size=(12, 8))
    outcomes = set()
    for length in range(len(data)):
        try:
            outcomes.add(examine(stored, data[:length]).format)
        except (UnreadablePicture, UnsupportedFormat) as refused:
            outcomes.add(type(refused).__name__)
    assert {"UnreadablePicture", "UnsupportedFormat"} <= outcomes


@pytest.mark.parametrize("picture_format", FORMATS)
def test_changed_bytes_are_read_or_refused(stored: Path, picture_format: str) -> None:
    data = picture_bytes(picture_format=picture_format, size=(12, 8))
    told = 0
    for at in range(min(len(data), 400)):
        changed = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        try:
            told += examine(stored, changed).width > 0
        except (UnreadablePicture, UnsupportedFormat, PictureTooLarge):
            continue
    assert told > 0


def test_a_missing_file_is_not_the_pictures_fault(stored: Path) -> None:
    with pytest.raises(FileNotFoundError):
        probe(stored, Limits())


def test_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    files = []
    for picture_format in FORMATS:
        files.append(tmp_path / picture_format)
        files[-1].write_bytes(picture_bytes(picture_format=picture_format))
    barrier = threading.Barrier(4)

    def examine_all(_: int) -> list[str]:
        barrier.wait(timeout=10)
        return [probe(file, Limits()).format for _ in range(10) for file in files]

    with ThreadPoolExecutor(4) as pool:
        for told in pool.map(examine_all, range(4)):
            assert told == list(FORMATS) * 10
