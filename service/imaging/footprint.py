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

from service.imaging import marks
from service.imaging.foretell import Canvas, after
from service.imaging.jobs import Job, job_of, pixels
from service.imaging.opening import opened
from service.imaging.operating import PIXEL_BYTES, encoding_bytes, operating_bytes
from service.imaging.presets import Recipe
from service.imaging.probe import Probe
from service.imaging.window import Size
from service.imaging.words import Operation

#: What a run takes of itself: tables, buffers, a stack.
BASE_BYTES = 6 * 1024 * 1024
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
#: Copies of a whole frame of a moving picture: the decoder's own, what it was laid on, ours.
_FRAME_COPIES = 4
#: Bytes a pixel of a frame that waits for the others, with what encoders make of it meanwhile.
_KEPT_FRAME = PIXEL_BYTES + 2


def peak_bytes(
    source: Path, probe: Probe, recipes: Sequence[Recipe], watermarks: Path | None = None
) -> int:
    """The most memory that `render` takes of this file at any time, in bytes.

    Reads the header once more, in whatever thread it is called, and those of the watermarks it
    names in that folder. Raises: BadPipeline, as `plan`. Whatever else is wrong with the file is
    for `render` to say.
    """
    header = _read(source, probe)
    jobs = sorted((job_of(probe, recipe) for recipe in recipes), key=pixels, reverse=True)
    scale = _draft(probe, jobs)
    width, height = (max(1, round(side * scale)) for side in jobs[0].wanted.picture)
    level = _Level((width, height), header.channel)
    theirs = marks.pixels_of(recipes, watermarks) * PIXEL_BYTES
    working = max(_decoding(header, probe, level), *_making(header, probe, level, jobs))
    return BASE_BYTES + theirs + working


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
        return 1 if self.mode in {"L", "1", "I;16", "I", "F"} else PIXEL_BYTES


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
class _Level:
    """The picture as it is decoded, in the orientation of the file."""

    size: Size
    channel: int

    @property
    def bytes(self) -> int:
        return self.size[0] * self.size[1] * self.channel


def _draft(probe: Probe, jobs: Sequence[Job]) -> float:
    """The scale a JPEG is decoded at: the smallest of 1/8, 1/4, 1/2 that serves all jobs."""
    if probe.format != "jpeg":
        return 1.0
    wanted = max(
        max(all_of / whole for all_of, whole in zip(one.size_of_all, one.picture, strict=True))
        for one in (job.wanted for job in jobs)
    )
    return next((scale for scale in (0.125, 0.25, 0.5) if scale >= wanted), 1.0)


def _decoding(header: _Header, probe: Probe, level: _Level) -> int:
    held = max(
        _DECODED.get(header.mode, PIXEL_BYTES),
        _PREPARING.get(header.mode, 0),
        _decoder(probe),
    )
    if probe.alpha and header.mode in {"L", "RGB"}:  # a colour that counts as transparent
        held = max(held, 2 * PIXEL_BYTES)
    return level.size[0] * level.size[1] * held + header.coefficients + header.file_bytes


def _decoder(probe: Probe) -> int:
    """Bytes a pixel."""
    extra = _DECODING_ALPHA if probe.alpha and probe.format in {"webp", "avif", "heic"} else 0
    return _DECODING.get(probe.format, 0) + extra


def _making(header: _Header, probe: Probe, level: _Level, jobs: Sequence[Job]) -> Iterable[int]:
    """The most that each job takes, with the levels that are held for those after it."""
    held, smallest = level.bytes, level.size[0] * level.size[1]
    before = 0  # what the job before made is let go of once this one has its pixels
    for at, job in enumerate(jobs):
        scaled = job.wanted.scaled
        yield held + before + _taking(header, probe, level, job)
        before = pixels(job) * PIXEL_BYTES
        beside = held if at + 1 < len(jobs) else 0
        frames = _frames(probe, job)
        yield beside + frames + _finishing(probe, job) + (_frame(probe) if frames else 0)
        yield beside + frames + _ending(probe, job)
        if scaled[0] * scaled[1] < smallest:
            smallest = scaled[0] * scaled[1]
            held += smallest * PIXEL_BYTES


def _taking(header: _Header, probe: Probe, level: _Level, job: Job) -> int:
    """Scaling across and then down, alpha weighed in, and the way to sRGB."""
    wanted = job.wanted
    across, down = (a / b for a, b in zip(level.size, wanted.picture, strict=True))
    left, top, right, bottom = wanted.box
    part, scaled = ((right - left) * across, (bottom - top) * down), wanted.scaled
    result = scaled[0] * scaled[1]
    between = scaled[0] * part[1] * level.channel
    premultiplied = part[0] * part[1] * PIXEL_BYTES if probe.alpha else 0
    scaling = 0.0 if part == scaled else premultiplied + between
    colours = result * (PIXEL_BYTES * (2 if probe.alpha else 1) + 1)
    if not (header.has_profile or header.mode in {"CMYK", "L", "1", "I;16", "I", "F"}):
        colours = 0
    return round(result * level.channel + max(scaling, colours))


def _finishing(probe: Probe, job: Job) -> int:
    """Turning upright, and then each step, while what came from the scaling is still held."""
    canvas = _scaled(probe, job)
    first = _bytes(canvas)
    most, turned = first * 2, probe.orientation != 1
    for number, operation in enumerate(_steps(job)):
        held = _bytes(canvas) + first * (turned or number > 0)
        most = max(most, held + operating_bytes(canvas, operation))
        canvas = after(canvas, operation)
    return most


def _scaled(probe: Probe, job: Job) -> Canvas:
    return Canvas(job.start.scaled, probe.alpha)


def _steps(job: Job) -> Sequence[Operation]:
    """What is left once the picture is scaled: a resize's padding or cut, then the others."""
    if job.start.resize is None:
        return job.start.rest
    resize, placement = job.start.resize
    left = (resize,) if placement.padded or placement.cut else ()
    return (*left, *job.start.rest)


def _result(probe: Probe, job: Job) -> Canvas:
    canvas = _scaled(probe, job)
    for operation in _steps(job):
        canvas = after(canvas, operation)
    return canvas


def _frames(probe: Probe, job: Job) -> int:
    """The further frames of a variant that moves: they are encoded together."""
    return (probe.frames - 1) * pixels(job) * _KEPT_FRAME if job.planned.moves else 0


def _frame(probe: Probe) -> int:
    """One of them on its way from the file."""
    return probe.width * probe.height * max(PIXEL_BYTES * _FRAME_COPIES, _decoder(probe))


def _ending(probe: Probe, job: Job) -> int:
    """The finished picture, and what encoding it takes."""
    canvas = _result(probe, job)
    return _bytes(canvas) + encoding_bytes(canvas, job.planned.format, job.recipe)


def _bytes(canvas: Canvas) -> int:
    return canvas.size[0] * canvas.size[1] * PIXEL_BYTES
