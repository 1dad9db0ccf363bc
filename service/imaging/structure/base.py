"""The words all walkers share."""

from __future__ import annotations

from dataclasses import dataclass
from mmap import mmap

Data = bytes | mmap


@dataclass(frozen=True)
class Bounds:
    """Where a walker may stop counting: one past each of these."""

    max_frames: int
    max_scans: int


@dataclass(frozen=True)
class Structure:
    """The counts of one file; a size of 0 × 0 means the walker does not know it."""

    #: Pixels, as stored, before any EXIF orientation.
    width: int = 0
    height: int = 0
    frames: int = 1
    #: JPEG scans that a decoder would have to work through.
    scans: int = 1
    #: The EXIF block (a TIFF header and its directories), or nothing.
    exif: bytes = b""
    #: Kinds of metadata met on the way: exif, xmp, icc, iptc, comment.
    metadata: frozenset[str] = frozenset()
