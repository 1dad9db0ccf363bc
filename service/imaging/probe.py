"""What a picture is, from its header alone: format, displayed size, frames, transparency.

`sniff` runs on the event loop over the first bytes of an upload; `probe` runs in a thread, before
an upload takes its place in the storage, and decides whether it may go on to `pipeline`. No pixel
is decoded here, and nothing is promised about the pixels: a picture that passes may still be cut
short.
"""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

from PIL.ImageFile import ImageFile

from service.errors import PictureError, PictureTooLarge, UnreadablePicture, UnsupportedFormat
from service.imaging import exif, structure
from service.imaging.opening import opened

#: The bytes `sniff` needs to know every format.
SNIFF_BYTES = 64

CONTENT_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "jpeg": "image/jpeg",
        "png": "image/png",
        "webp": "image/webp",
        "gif": "image/gif",
        "avif": "image/avif",
        "tiff": "image/tiff",
        "bmp": "image/bmp",
        "heic": "image/heic",
    }
)

_TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: Formats in boxes, by the brands of their pictures. Source: ISO/IEC 23008-12, annex B.
_BRANDS = (
    ("avif", frozenset({b"avif", b"avis"})),
    ("heic", frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})),
)
#: What can be taken in without an extra.
FORMATS = frozenset(CONTENT_TYPES) - {"heic"}


@dataclass(frozen=True)
class Limits:
    """What is accepted; a picture exactly at a limit is."""

    #: Pixels of one frame.
    max_pixels: int = 50_000_000
    #: Pixels of width or height.
    max_side_px: int = 16_384
    #: Frames or pages; all of them together may hold 4 × `max_pixels`.
    max_frames: int = 500
    max_jpeg_scans: int = 100
    formats: frozenset[str] = FORMATS

    @property
    def max_pixels_of_all_frames(self) -> int:
        return 4 * self.max_pixels


@dataclass(frozen=True)
class Probe:
    """What the header says."""

    format: str
    content_type: str
    #: Pixels as displayed, that is after `orientation`.
    width: int
    height: int
    #: The EXIF orientation 1..8 still to be applied; 1 for TIFF and HEIC, whose decoders turn them.
    orientation: int
    frames: int
    #: Whether the picture can hold transparency, not whether any pixel is transparent.
    alpha: bool
    #: Kinds of metadata in the file, none of which a variant has: exif, gps, icc, iptc, xmp,
    #: comment.
    metadata: tuple[str, ...] = ()


def sniff(head: bytes) -> str | None:
    """The format named by the first `SNIFF_BYTES` of a file, or None; never raises."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(_TIFF_HEADS):
        return "tiff"
    if head.startswith(b"BM") and len(head) >= 26:
        return "bmp"
    return _by_brands(head)


def _by_brands(head: bytes) -> str | None:
    """What the file type box names (ISO/IEC 14496-12, 4.3), as major brand or not."""
    if head[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(head[:4], "big"), SNIFF_BYTES, len(head))
    named = {head[at : at + 4] for at in (8, *range(16, end, 4))}
    return next((fmt for fmt, brands in _BRANDS if brands & named), None)


def probe(source: Path | bytes, limits: Limits) -> Probe:
    """Read the header of a file, or of a file's bytes, and hold it against the limits.

    Raises:
        UnsupportedFormat: not a picture of an accepted format.
        PictureTooLarge: pixels, side, frames or JPEG scans beyond a limit.
        UnreadablePicture: anything else that keeps the header from being read.
        OSError: the file itself cannot be opened, which is no fault of the picture.
    """
    with _data(source) as data:
        picture_format = _accepted(data[:SNIFF_BYTES], limits)
        try:
            found = structure.walk(data, picture_format, _bounds(limits))
            _hold(found, limits)
            with opened(_unread(source), picture_format) as image:
                return _describe(image, picture_format, found, limits)
        except PictureError:
            raise
        # Pillow has raised a dozen unrelated types at hostile headers, MemoryError among them:
        # here all of them mean that the header asks for something absurd.
        except Exception as error:
            raise UnreadablePicture(f"The header cannot be read: {error}") from error


@contextmanager
def _data(source: Path | bytes) -> Iterator[structure.Data]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb", buffering=0) as file:
        if not os.fstat(file.fileno()).st_size:  # nothing that could be mapped
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def _unread(source: Path | bytes) -> Path | IO[bytes]:
    # Not the mapping: it refuses to seek past its end, which Pillow does to look for tags.
    return io.BytesIO(source) if isinstance(source, bytes) else source


def _bounds(limits: Limits) -> structure.Bounds:
    return structure.Bounds(limits.max_frames, limits.max_jpeg_scans)


def _accepted(head: bytes, limits: Limits) -> str:
    picture_format = sniff(head)
    if picture_format is None or picture_format not in limits.formats:
        accepted = ", ".join(sorted(limits.formats))
        raise UnsupportedFormat(f"The file is not a picture in an accepted format ({accepted})")
    return picture_format


def _describe(
    image: ImageFile, picture_format: str, found: structure.Structure, limits: Limits
) -> Probe:
    width, height = image.size
    # Only these know their frames without walking the file once more.
    told = getattr(image, "n_frames", 1) if picture_format in {"webp", "avif", "heic"} else 1
    boxed = picture_format in {"avif", "heic"}
    block = found.exif or (boxed and image.info.get("exif")) or b""
    seen = structure.Structure(width, height, max(found.frames, told), found.scans, block)
    _hold(seen, limits)
    turned = 1 if picture_format == "heic" else exif.orientation(block)
    if exif.swaps_axes(turned):
        width, height = height, width
    return Probe(
        format=picture_format,
        content_type=CONTENT_TYPES[picture_format],
        width=width,
        height=height,
        orientation=turned,
        frames=1 if picture_format == "heic" else seen.frames,  # its others are no frames
        alpha=image.has_transparency_data,
        metadata=_metadata(image, found, block),
    )


#: Of formats without a walker for it: what their decoders keep, by its name there.
_KEPT = (("exif", "exif"), ("icc_profile", "icc"), ("xmp", "xmp"), ("comment", "comment"))


def _metadata(image: ImageFile, found: structure.Structure, block: bytes) -> tuple[str, ...]:
    kept = {kind for name, kind in _KEPT if image.info.get(name)}
    tags = getattr(image, "tag_v2", ())  # a TIFF is one EXIF block itself
    place = {"gps"} if exif.has_place(block) or exif.GPS in tags else set[str]()
    camera = {"exif"} if exif.CAMERA in tags else set[str]()
    return tuple(sorted(found.metadata | kept | place | camera))


def _hold(found: structure.Structure, limits: Limits) -> None:
    pixels = found.width * found.height
    for what, limit, actual in (
        ("pixels on a side", limits.max_side_px, max(found.width, found.height)),
        ("pixels", limits.max_pixels, pixels),
        ("frames", limits.max_frames, found.frames),
        ("pixels in all frames", limits.max_pixels_of_all_frames, pixels * found.frames),
        ("JPEG scans", limits.max_jpeg_scans, found.scans),
    ):
        if actual > limit:
            raise PictureTooLarge(
                f"The picture has {actual} {what}; {limit} are accepted",
                limit=limit,
                actual=actual,
            )
