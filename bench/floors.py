"""The least that each stage of a photograph can take: the libraries alone, on pixels at hand."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from struct import unpack_from
from time import perf_counter

from PIL import Image

from bench.client import SIZES

JPEG_QUALITY = 82


def seconds_of(work: Callable[[], object]) -> float:
    """What one call takes."""
    start = perf_counter()
    work()
    return perf_counter() - start


def decode(photo: Path) -> Image.Image:
    """As small as libjpeg-turbo can make it while the largest variant can still be made from it."""
    with Image.open(photo) as image:
        scale = SIZES[0] / max(image.size)
        image.draft("RGB", (round(image.width * scale), round(image.height * scale)))
        image.load()
        return image


def resample(source: Image.Image, targets: Sequence[Image.Image]) -> None:
    """Lanczos by cykooz-resizer into images that are there, each from the one before."""
    # Here, for it is not on every machine, and decoding has a floor without it.
    from cykooz_resizer import FilterType, ResizeAlg, ResizeOptions, Resizer

    options = ResizeOptions(resize_alg=ResizeAlg.convolution(FilterType.lanczos3))
    for target in targets:
        Resizer().resize_pil(source, target, options)
        source = target


def encode(images: Sequence[Image.Image]) -> None:
    """JPEG by libjpeg-turbo, into memory."""
    for image in images:
        with os.fdopen(os.memfd_create("variant"), "w+b") as file:
            image.save(file, "JPEG", quality=JPEG_QUALITY)


def store(folder: Path, files: Sequence[bytes], *, name_too: bool) -> None:
    """Write, fsync, rename by plain calls; with `name_too` the names are on the disk as well."""
    for number, data in enumerate(files):
        descriptor = os.open(folder / "part", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(descriptor, data)
        os.fsync(descriptor)
        os.close(descriptor)
        os.rename(folder / "part", folder / f"{number}")
        if name_too:
            _sync(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def lines_of(png: bytes) -> bytes:
    """What a PNG's encoder handed to zlib: the filtered lines."""
    return zlib.decompress(b"".join(_chunks(png, b"IDAT")))


def _chunks(png: bytes, wanted: bytes) -> list[bytes]:
    found, at = [], 8
    while at < len(png):
        length, kind = unpack_from(">I4s", png, at)
        if kind == wanted:
            found.append(png[at + 8 : at + 8 + length])
        at += length + 12
    return found


def pack(lines: bytes) -> None:
    """Runs only (zlib's RLE), as the service packs a photograph's PNG."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    packer.compress(lines)
    packer.flush()


def png_by_default(image: Image.Image) -> bytes:
    """PNG as Pillow writes it if it is told nothing: level 6."""
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
