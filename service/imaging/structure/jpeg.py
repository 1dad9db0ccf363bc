"""JPEG segments up to the first scan, and the number of scans.

Source: ITU-T T.81, annex B (markers, fill bytes, byte stuffing).
"""

from __future__ import annotations

import re

from service.errors import UnreadablePicture
from service.imaging.structure.base import Bounds, Data, Structure

#: Segments before the first scan; a large ICC profile or a depth map takes 200 of them.
MAX_SEGMENTS = 1_000
#: Photoshop segments among them; Pillow takes each apart into its blocks, in Python.
MAX_PHOTOSHOP_SEGMENTS = 64
#: Fill and junk bytes between those segments, in total; Pillow reads them one by one.
MAX_PADDING_BYTES = 16_384
#: Markers between and after scans; an honest scan brings about five tables.
MAX_SCAN_MARKERS = 10_000

_STANDALONE = range(0xD0, 0xD9)  # restart markers and SOI carry no length
_NOT_A_FRAME = {0xC4, 0xC8, 0xCC}  # DHT, reserved, DAC
_FRAME = set(range(0xC0, 0xD0)) - _NOT_A_FRAME
_MULTI_SCAN_FRAME = {0xC2, 0xC6, 0xCA, 0xCE}  # progressive
_KNOWN = set(range(0xC0, 0xF0)) | {0xFE}
_APP1, _APP13, _EXIF_NAME = 0xE1, 0xED, b"Exif\0\0"
#: How segments with metadata begin, by their marker.
_METADATA = (
    (_APP1, _EXIF_NAME, "exif"),
    (_APP1, b"http://ns.adobe.com/xap/1.0/", "xmp"),
    (_APP1, b"http://ns.adobe.com/xmp/extension/", "xmp"),
    (0xE2, b"ICC_PROFILE\0", "icc"),
    (_APP13, b"", "iptc"),
    (0xFE, b"", "comment"),
)
_EOI, _SOS = 0xD9, 0xDA
#: In entropy-coded data 0xFF is followed by 0x00 or a restart marker; anything else ends it.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def walk(data: Data, bounds: Bounds) -> Structure:
    """Size, EXIF block and scans. A sequential JPEG, interleaved in one scan, is not read further.

    Raises:
        UnreadablePicture: no frame or no scan, an unknown marker, or too much padding.
    """
    width = height = components = frame = photoshop = 0
    exif, metadata = b"", set[str]()
    position, padding = 2, MAX_PADDING_BYTES
    for _ in range(MAX_SEGMENTS):
        position, padding = _next_marker(data, position, padding)
        marker = data[position]
        position += 1
        if marker in _STANDALONE:
            continue
        length = _length(data, position)
        metadata |= _kinds(marker, data[position + 2 : position + 38])
        if marker in _FRAME:
            frame = marker
            height, width = _short(data, position + 3), _short(data, position + 5)
            components = data[position + 7]
        elif marker == _APP1 and not exif:
            exif = _exif(data[position + 2 : position + length])
        elif marker == _APP13:
            photoshop += 1
            if photoshop > MAX_PHOTOSHOP_SEGMENTS:
                raise UnreadablePicture(f"More than {MAX_PHOTOSHOP_SEGMENTS} Photoshop segments")
        elif marker == _SOS:
            one_scan = frame not in _MULTI_SCAN_FRAME and data[position + 2] == components
            scans = 1 if one_scan else _count_scans(data, position - 2, bounds.max_scans)
            return Structure(width, height, scans=scans, exif=exif, metadata=frozenset(metadata))
        position += length
    raise UnreadablePicture(f"More than {MAX_SEGMENTS} JPEG segments before the picture")


def _kinds(marker: int, head: bytes) -> set[str]:
    """What kind of metadata a segment holds, if any."""
    return {kind for code, name, kind in _METADATA if marker == code and head.startswith(name)}


def _next_marker(data: Data, position: int, padding: int) -> tuple[int, int]:
    """The position of the next marker's code, and what is left of the padding allowance."""
    start = position
    position = data.find(b"\xff", position, position + padding + 1)
    while 0 <= position <= start + padding + 1 and data[position] == 0xFF:
        position += 1
    padding -= max(0, position - start - 1)
    if position < 0 or padding < 0:
        raise UnreadablePicture("Padding or junk where a JPEG segment should be")
    if data[position] not in _KNOWN or data[position] == _EOI:
        raise UnreadablePicture(f"Unexpected JPEG marker 0xFF{data[position]:02X}")
    return position, padding


def _count_scans(data: Data, position: int, limit: int) -> int:
    """SOS markers up to the end of the first image, counted to limit + 1; linear in the bytes."""
    scans = 0
    for _ in range(MAX_SCAN_MARKERS):
        found = _MARKER.search(data, position)
        if found is None or data[found.start() + 1] == _EOI:
            return scans
        scans += data[found.start() + 1] == _SOS
        if scans > limit:
            return scans
        position = found.end()
        if position + 2 <= len(data):
            position += _length(data, position)
    raise UnreadablePicture(f"More than {MAX_SCAN_MARKERS} JPEG markers between scans")


def _short(data: Data, position: int) -> int:
    return data[position] << 8 | data[position + 1]


def _length(data: Data, position: int) -> int:
    length = _short(data, position)
    if length < 2:
        raise UnreadablePicture("A JPEG segment shorter than its own length field")
    return length


def _exif(segment: bytes) -> bytes:
    return segment[6:] if segment.startswith(_EXIF_NAME) else b""
