"""Pictures made in code: honest ones of every kind, and hostile ones built byte by byte."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from typing import Any

from PIL import Image, ImageCms

#: Bytes that must never reach a variant.
SECRET = b"<?php secret-47.1190N-8.5412E ?>"


def photo(size: tuple[int, int] = (96, 64), mode: str = "RGB") -> Image.Image:
    """A smooth, asymmetric picture with some detail; no two of its eight orientations agree.

    With alpha, the left quarter is transparent and the next quarter half so.
    """
    picture = _scene().resize(size, Image.Resampling.LANCZOS)
    if mode in {"RGBA", "LA", "PA"}:
        picture.putalpha(_alpha(size))
    return picture.convert(mode)


@cache
def _scene() -> Image.Image:
    across = Image.linear_gradient("L").rotate(90)
    down = Image.linear_gradient("L")
    glow = Image.radial_gradient("L").resize((160, 128)).crop((0, 0, 128, 128)).resize((256, 256))
    scene = Image.merge("RGB", (across, down, glow))
    scene.paste((230, 40, 30), (20, 20, 100, 60))
    scene.paste((30, 60, 220), (150, 170, 170, 240))
    return scene


def _alpha(size: tuple[int, int]) -> Image.Image:
    alpha = Image.new("L", size, 255)
    alpha.paste(0, (0, 0, size[0] // 4, size[1]))
    alpha.paste(128, (size[0] // 4, 0, size[0] // 2, size[1]))
    return alpha


def picture_bytes(
    mode: str = "RGB",
    size: tuple[int, int] = (96, 64),
    picture_format: str = "jpeg",
    *,
    orientation: int | None = None,
    icc: bytes | None = None,
    **options: Any,
) -> bytes:
    """An honest picture as a file; `options` go to Pillow's encoder."""
    return encoded(photo(size, mode), picture_format, orientation=orientation, icc=icc, **options)


def encoded(
    picture: Image.Image,
    picture_format: str,
    *,
    orientation: int | None = None,
    icc: bytes | None = None,
    **options: Any,
) -> bytes:
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
    if icc is not None:
        options["icc_profile"] = icc
    if picture_format == "jpeg":
        options = {"quality": 92, **options}
    file = io.BytesIO()
    picture.save(file, picture_format.upper(), **options)
    return file.getvalue()


def stored_turned(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture as a camera held that way stores it: to be shown by applying `orientation`."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return picture if orientation == 1 else picture.transpose(undo[orientation])


def animation(frames: int, picture_format: str = "gif", size: tuple[int, int] = (8, 8)) -> bytes:
    """A moving picture, red at first, then every frame different."""
    shown = [Image.new("RGB", size, (200, 10, 60 * n % 250)) for n in range(frames)]
    file = io.BytesIO()
    shown[0].save(file, picture_format.upper(), save_all=True, append_images=shown[1:], duration=40)
    return file.getvalue()


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """A display profile whose red primary is sRGB's green, and its green sRGB's red.

    Nobody's display, but what it does to a colour is exactly known.
    """
    profile = srgb_profile().replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    swap = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}
    count = struct.unpack_from(">I", profile, 128)[0]
    table = bytearray(profile)
    for at in range(132, 132 + 12 * count, 12):
        name = profile[at : at + 4]
        table[at : at + 4] = swap.get(name, name)
    return bytes(table)


def gray_profile(gamma: float = 1.0) -> bytes:
    """A gray profile (ICC.1:2022, 8.3.4) of a plain gamma, D50."""
    d50 = struct.pack(">3i", 63190, 65536, 54061)
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"gray\0" + bytes(78),
        b"wtpt": b"XYZ \0\0\0\0" + d50,
        b"kTRC": b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0",
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
    }
    body, directory, offset = b"", struct.pack(">I", len(tags)), 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        padded = tag + bytes(-len(tag) % 4)
        directory += struct.pack(">4sII", name, offset + len(body), len(tag))
        body += padded
    head = struct.pack(">I4xI4s4s4s", offset + len(body), 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + d50
    return head + bytes(128 - len(head)) + directory + body


# Hostile files. Each is small on disk and asks for much.


def png_header(width: int, height: int, extra: bytes = b"") -> bytes:
    """A PNG of this size whose pixels never come."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    check = zlib.crc32(payload, zlib.crc32(kind))
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", check)


def jpeg_header(width: int, height: int) -> bytes:
    """A JPEG of this size: a real one with its frame header changed."""
    data = bytearray(picture_bytes(size=(16, 16)))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


#: A GIF's head, for a screen of 8 × 8 pixels without colours, and a frame of one pixel.
GIF_SCREEN = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0)
GIF_FRAME = struct.pack("<BHHHHB", 0x2C, 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"


def gif_header(width: int, height: int) -> bytes:
    """A GIF whose screen has this size and whose one frame has a pixel."""
    return GIF_SCREEN[:6] + struct.pack("<HH", width, height) + GIF_SCREEN[10:] + GIF_FRAME + b";"


def webp_header(width: int, height: int) -> bytes:
    """38 bytes of extended WebP that announce a canvas of this size."""
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + sizes + b"VP8L\0\0\0\0"
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp_header(width: int, height: int) -> bytes:
    head = struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def avif_header(width: int, height: int) -> bytes:
    """An AVIF of this size: a real one with its image extents changed."""
    data = bytearray(picture_bytes(picture_format="avif"))
    at = data.index(b"ispe")
    data[at + 8 : at + 16] = struct.pack(">II", width, height)
    return bytes(data)


def tiff_header(width: int, height: int) -> bytes:
    return b"II*\0" + struct.pack("<I", 8) + _tiff_page(width, height, following=0)


def tiff_pages(pages: int, *, loop: bool = False) -> bytes:
    """A TIFF of many one-pixel pages, or one whose last page is followed by its first."""
    page = len(_tiff_page(1, 1, following=0))
    starts = [8 + number * page for number in range(pages)] + [8 * loop]
    body = b"".join(_tiff_page(1, 1, following) for following in starts[1:])
    return b"II*\0" + struct.pack("<I", 8) + body


def _tiff_page(width: int, height: int, following: int) -> bytes:
    """A directory of an uncompressed gray page (TIFF 6.0, section 4), its one strip anywhere."""
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: 1}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)


def jpeg_with_fill(fill_bytes: int) -> bytes:
    """A JPEG with fill bytes before its first segment; Pillow reads them one at a time."""
    data = picture_bytes()
    return data[:2] + b"\xff" * fill_bytes + data[2:]


def jpeg_with_scans(scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated until there are this many."""
    data = picture_bytes(progressive=True)
    starts = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    return data[:-2] + data[starts[-1] : -2] * (scans - len(starts)) + data[-2:]


def jpeg_segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def jpeg_with_segments(*segments: bytes) -> bytes:
    data = picture_bytes()
    return data[:2] + b"".join(segments) + data[2:]


def truncated(data: bytes, share: float = 0.5) -> bytes:
    return data[: int(len(data) * share)]


def with_secrets(picture_format: str) -> bytes:
    """A picture with `SECRET` wherever its format has room for a comment or metadata."""
    if picture_format == "jpeg":
        exif = Image.Exif()
        exif[0x010E] = SECRET.decode()
        return picture_bytes(exif=exif, comment=SECRET, xmp=b"<x:xmpmeta>" + SECRET)
    if picture_format == "png":
        text = png_chunk(b"tEXt", b"Comment\0" + SECRET)
        data = picture_bytes(picture_format="png", icc=srgb_profile())
        return data[:33] + text + data[33:]
    return picture_bytes("P", picture_format=picture_format, comment=SECRET)
