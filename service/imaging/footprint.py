"""How much memory a run takes at its worst moment, foretold from the file's header.

Pillow keeps RGB as four bytes a pixel. What decoders and encoders take beside the picture depends
on what it shows; the figures here hold for noise, which is the worst, and were measured as the
growth of a fresh process with Pillow 12 and 13. `tests/unit/imaging/test_footprint.py` holds them
against real runs: never less than those take, for photographs at most about twice as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from PIL.ImageFile import ImageFile

from service.imaging import exif
from service.imaging.geometry import Size, place
from service.imaging.opening import opened
from service.imaging.pipeline import plan
from service.imaging.presets import Format, Recipe, Resize
from service.imaging.probe import Probe

#: What a run takes of itself: tables, buffers, a stack.
BASE_BYTES = 6 * 1024 * 1024
#: Bytes a pixel as a decoder leaves it, by mode; all others have four.
_DECODED: Mapping[str, int] = MappingProxyType({"1": 1, "L": 1, "P": 1, "I;16": 2})
#: Bytes a pixel while a mode that cannot be scaled becomes one that can: it and all between.
_PREPARING: Mapping[str, int] = MappingProxyType(
    {"1": 2, "P": 5, "LA": 8, "PA": 8, "La": 8, "I;16": 12, "I": 13, "F": 13, "LAB": 8, "YCbCr": 8}
)
#: Bytes a pixel while a decoder works that holds more than the picture.
_DECODING: Mapping[str, int] = MappingProxyType({"webp": 21, "avif": 16, "tiff": 8})
#: One more plane, and its share of what the decoder does.
_DECODING_ALPHA = 4
#: Bytes a pixel that encoding takes beside the picture, the file's own included, in RGB and RGBA.
_ENCODING: Mapping[Format, tuple[int, int]] = MappingProxyType(
    {"jpeg": (1, 6), "png": (4, 4), "webp": (27, 42), "avif": (30, 36)}
)
#: Pictures that an operation holds at once, its own and what it gives included, in RGB and RGBA.
_OPERATING = (3, 4)
_PIXEL = 4


def peak_bytes(source: Path, probe: Probe, recipes: Sequence[Recipe]) -> int:
    """The most memory that `render` takes of this file at any time, in bytes.

    Reads the header once more, in whatever thread it is called. Raises: BadPipeline, as `plan`.
    Whatever else is wrong with the file is for `render` to say.
    """
    header = _read(source, probe)
    jobs = sorted((_job(probe, recipe) for recipe in recipes), key=_pixels, reverse=True)
    scale = _draft(probe, jobs)
    level = _Level(
        (max(1, round(probe.width * scale)), max(1, round(probe.height * scale))), header.channel
    )
    return BASE_BYTES + max(_decoding(header, probe, level), *_making(header, probe, level, jobs))


@dataclass(frozen=True)
class _Header:
    mode: str
    #: Bytes of a progressive JPEG's coefficients, which are all held until the last scan.
    coefficients: int
    has_profile: bool
    file_bytes: int

    @property
    def channel(self) -> int:
        """Bytes a pixel of what is scaled."""
        return 1 if self.mode in {"L", "1", "I;16", "I", "F"} else _PIXEL


def _read(source: Path, probe: Probe) -> _Header:
    try:
        with opened(source, probe.format) as image:
            profile = bool(image.info.get("icc_profile"))
            size = source.stat().st_size
            return _Header(image.mode, _coefficients(image), profile, size)
    except Exception:  # noqa: BLE001 - Pillow raises whatever it likes; `render` will say so
        return _Header("RGBA" if probe.alpha else "RGB", 0, has_profile=False, file_bytes=0)


def _coefficients(image: ImageFile) -> int:
    """Two bytes each, for every sample of every channel. Source: ITU-T T.81, annex G."""
    if not image.info.get("progressive"):
        return 0
    layers: Sequence[tuple[int, int, int, int]] = getattr(image, "layer", ())
    most = max((h * v for _, h, v, _ in layers), default=1)
    return round(2 * image.width * image.height * sum(h * v / most for _, h, v, _ in layers))


@dataclass(frozen=True)
class _Job:
    """What one recipe takes from the picture, and what it makes of that."""

    #: The part of the picture, and what it is scaled to, as displayed.
    part: Size
    scaled: Size
    #: Pixels of the largest picture on the way, and of the result.
    most: int
    result: Size
    operations: int
    format: Format


def _job(probe: Probe, recipe: Recipe) -> _Job:
    size = part = scaled = (probe.width, probe.height)
    planned = plan(probe, recipe)
    most, others = 0, 0
    for at, operation in enumerate(recipe.operations):
        if isinstance(operation, Resize):
            placement = place(size, operation)
            if at == 0:
                left, top, right, bottom = placement.box
                part, scaled = (round(right - left), round(bottom - top)), placement.scaled
            size = placement.size
        others += at > 0 or not isinstance(operation, Resize) or size != scaled
        most = max(most, size[0] * size[1])
    result = planned.width, planned.height
    return _Job(part, scaled, max(most, result[0] * result[1]), result, others, planned.format)


def _pixels(job: _Job) -> int:
    return job.result[0] * job.result[1]


def _draft(probe: Probe, jobs: Sequence[_Job]) -> float:
    """The scale a JPEG is decoded at: the smallest of 1/8, 1/4, 1/2 that serves all jobs."""
    if probe.format != "jpeg":
        return 1.0
    wanted = max(
        max(job.scaled[0] / max(1, job.part[0]), job.scaled[1] / max(1, job.part[1]))
        for job in jobs
    )
    return next((scale for scale in (0.125, 0.25, 0.5) if scale >= wanted), 1.0)


@dataclass(frozen=True)
class _Level:
    size: Size
    channel: int

    @property
    def bytes(self) -> int:
        return self.size[0] * self.size[1] * self.channel


def _decoding(header: _Header, probe: Probe, level: _Level) -> int:
    pixels = level.size[0] * level.size[1]
    working = _DECODING.get(probe.format, 0)
    if probe.alpha and probe.format in {"webp", "avif"}:
        working += _DECODING_ALPHA
    held = max(_DECODED.get(header.mode, _PIXEL), _PREPARING.get(header.mode, 0), working)
    if probe.alpha and header.mode in {"L", "RGB"}:  # a colour that counts as transparent
        held = max(held, 2 * _PIXEL)
    return pixels * held + header.coefficients + header.file_bytes


def _making(header: _Header, probe: Probe, level: _Level, jobs: Sequence[_Job]) -> Iterable[int]:
    """The most that each job takes, with the levels that are held for those after it."""
    held, smallest = level.bytes, level.size[0] * level.size[1]
    before = 0  # what the job before made is let go of once this one has its pixels
    for at, job in enumerate(jobs):
        taken = job.scaled[0] * job.scaled[1]
        yield held + before + _taking(header, probe, level, job)
        before = _pixels(job) * _PIXEL
        beside = held if at + 1 < len(jobs) else 0
        yield beside + _finishing(probe, job)
        yield beside + job.most * _PIXEL + _pixels(job) * _ENCODING[job.format][probe.alpha]
        if taken < smallest:
            held, smallest = held + taken * _PIXEL, taken


def _taking(header: _Header, probe: Probe, level: _Level, job: _Job) -> int:
    """Scaling across and then down, alpha weighed in, and the way to sRGB."""
    across = level.size[0] / probe.width
    part = (job.part[0] * across, job.part[1] * across)
    scaled = job.scaled
    if exif.swaps_axes(probe.orientation):
        part, scaled = (part[1], part[0]), (scaled[1], scaled[0])
    result = scaled[0] * scaled[1]
    between = scaled[0] * part[1] * level.channel
    premultiplied = part[0] * part[1] * _PIXEL if probe.alpha else 0
    scaling = 0.0 if part == scaled else premultiplied + between
    colours = result * (_PIXEL * (2 if probe.alpha else 1) + 1)
    if not (header.has_profile or header.mode in {"CMYK", "L", "1", "I;16", "I", "F"}):
        colours = 0
    return round(result * level.channel + max(scaling, colours))


def _finishing(probe: Probe, job: _Job) -> int:
    """Turning upright, padding, and whatever else the recipe asks for."""
    copies = _OPERATING[probe.alpha] if job.operations else 1
    return job.most * _PIXEL * (copies + (probe.orientation != 1))
