"""How much memory it takes to decode a picture, or a later frame of it, foretold from its header.

The figures are `footprint`'s: measured over noise, and held by its tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from PIL.ImageFile import ImageFile

from service.imaging.opening import opened
from service.imaging.operating import PIXEL_BYTES
from service.imaging.probe import Probe
from service.imaging.seeking import APART, go_to
from service.imaging.window import Size

#: Bytes a pixel as a decoder leaves it, by mode; all others have four.
_DECODED: Mapping[str, int] = MappingProxyType({"1": 1, "L": 1, "P": 1, "I;16": 2})
#: Bytes a pixel while a mode that cannot be scaled becomes one that can: it and all between.
_PREPARING: Mapping[str, int] = MappingProxyType(
    {"1": 2, "P": 5, "LA": 8, "PA": 8, "La": 8, "I;16": 12, "I": 13, "F": 13, "LAB": 8, "YCbCr": 8}
)
#: Bytes a pixel while a decoder works that holds more than the picture.
_DECODING: Mapping[str, int] = MappingProxyType({"webp": 21, "avif": 16, "heic": 13, "tiff": 8})
#: One more plane, and its share of what the decoder does.
_DECODING_ALPHA = 4
#: Bytes a pixel of a later frame: the decoder's own, what it is laid on, what that becomes after
#: it, ours.
_LATER = 19
#: Frames before it that an AV1 decoder holds: it refers to eight, and works on as many at once on
#: a machine of fifty cores (dav1d).
_AV1_FRAMES = 15
#: Bytes a pixel of each: three planes of up to 12 bits, and the alpha's.
_AV1_FRAME, _AV1_ALPHA = 6, 2


@dataclass(frozen=True)
class Header:
    """What a file says of the frame that is wanted."""

    mode: str
    #: Bytes of a progressive JPEG's coefficients, which are all held until the last scan.
    coefficients: int
    has_profile: bool
    file_bytes: int

    @property
    def channel(self) -> int:
        """Bytes a pixel of what is scaled."""
        return 1 if self.mode in {"L", "1", "I;16", "I", "F"} else PIXEL_BYTES


def read(source: Path, probe: Probe, frame: int) -> Header:
    """The header of a frame, from 1; a guess where it cannot be read, which `render` will say."""
    try:
        with opened(source, probe.format) as image:
            mode = _mode(image, probe, frame)
            profile = bool(image.info.get("icc_profile"))
            return Header(mode, _coefficients(image), profile, source.stat().st_size)
    except Exception:  # noqa: BLE001 - Pillow raises whatever it likes
        return Header("RGBA" if probe.alpha else "RGB", 0, has_profile=False, file_bytes=0)


def _mode(image: ImageFile, probe: Probe, frame: int) -> str:
    if probe.format not in APART:
        return image.mode if frame == 1 else "RGBA"  # what is laid over others may have all colours
    go_to(image, frame - 1, probe.format)
    return image.mode


def _coefficients(image: ImageFile) -> int:
    """Two bytes each, for every sample of every channel. Source: ITU-T T.81, annex G."""
    if not image.info.get("progressive"):
        return 0
    layers: Sequence[tuple[int, int, int, int]] = getattr(image, "layer", ())
    most = max((h * v for _, h, v, _ in layers), default=1)
    return round(2 * image.width * image.height * sum(h * v / most for _, h, v, _ in layers))


def decoding_bytes(header: Header, probe: Probe, size: Size, frame: int) -> int:
    """The most that it takes to decode a frame at that size, the result included."""
    held = max(
        _DECODED.get(header.mode, PIXEL_BYTES),
        _PREPARING.get(header.mode, 0),
        _decoder(probe),
    )
    if probe.alpha and header.mode in {"L", "RGB"}:  # a colour that counts as transparent
        held = max(held, 2 * PIXEL_BYTES)
    if frame > 1 and probe.format not in APART:
        held = max(held, _later(probe, frame))
    return size[0] * size[1] * held + header.coefficients + header.file_bytes


def last_bytes(header: Header, probe: Probe) -> int:
    """The most that it takes to decode the last of all frames, the one before it still held."""
    held = _later(probe, probe.frames) + PIXEL_BYTES
    return probe.width * probe.height * held + header.file_bytes


def _later(probe: Probe, frame: int) -> int:
    """Bytes a pixel."""
    held = max(_LATER, _decoder(probe))
    if probe.format != "avif":
        return held
    return held + min(frame - 1, _AV1_FRAMES) * (_AV1_FRAME + probe.alpha * _AV1_ALPHA)


def _decoder(probe: Probe) -> int:
    """Bytes a pixel."""
    extra = _DECODING_ALPHA if probe.alpha and probe.format in {"webp", "avif", "heic"} else 0
    return _DECODING.get(probe.format, 0) + extra
