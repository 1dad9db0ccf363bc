"""How much memory a run takes at its worst moment, foretold from the file's header.

Pillow keeps RGB as four bytes a pixel. What decoders and encoders take beside the picture depends
on what it shows; the figures here hold for noise, which is the worst, and were measured as the
growth of a fresh process with Pillow 12 and 13. `tests/unit/imaging/test_footprint.py` holds them
against real runs: never less than those take, for photographs at most about twice as much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from service.imaging import marks
from service.imaging.foretell import Canvas, after, at_most
from service.imaging.jobs import Job, frame_of, grouped, pixels
from service.imaging.operating import PIXEL_BYTES, encoding_bytes, operating_bytes
from service.imaging.presets import Recipe
from service.imaging.probe import Probe
from service.imaging.reading import Header, decoding_bytes, last_bytes, read
from service.imaging.window import Size
from service.imaging.words import Operation, Trim

#: What a run takes of itself: tables, buffers, a stack.
BASE_BYTES = 6 * 1024 * 1024
#: Bytes a pixel of a frame that waits for the others, with what encoders make of it meanwhile.
_KEPT_FRAME = PIXEL_BYTES + 2


def peak_bytes(
    source: Path, probe: Probe, recipes: Sequence[Recipe], watermarks: Path | None = None
) -> int:
    """The most memory that `render` takes of this file at any time, in bytes.

    Reads the header once more for each frame that is taken, in whatever thread it is called, and
    those of the watermarks it names in that folder. Raises: BadPipeline, as `plan`. Whatever else
    is wrong with the file is for `render` to say.
    """
    theirs = marks.pixels_of(recipes, watermarks) * PIXEL_BYTES
    groups = grouped(probe, recipes)
    return BASE_BYTES + theirs + max(_working(source, probe, jobs) for jobs in groups)


def _working(source: Path, probe: Probe, jobs: Sequence[Job]) -> int:
    """The most that the jobs of one frame take."""
    frame = frame_of(jobs[0])
    header = read(source, probe, frame)
    if frame > 1:  # it may be transparent where the first, which was probed, is not
        probe = replace(probe, alpha=True)
    scale = _draft(probe, jobs)
    width, height = (max(1, round(side * scale)) for side in jobs[0].wanted.picture)
    level = _Level((width, height), header.channel)
    decoding = decoding_bytes(header, probe, level.size, frame)
    return max(decoding, *_making(header, probe, level, jobs))


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


def _making(header: Header, probe: Probe, level: _Level, jobs: Sequence[Job]) -> Iterable[int]:
    """The most that each job takes, with the levels that are held for those after it."""
    held, smallest = level.bytes, level.size[0] * level.size[1]
    before = 0  # what the job before made is let go of once this one has its pixels
    for at, job in enumerate(jobs):
        scaled = job.wanted.scaled
        yield held + before + _taking(header, probe, level, job)
        before = _bytes(_result(probe, job))
        beside = held if at + 1 < len(jobs) else 0
        others = _others(probe, job)
        last = last_bytes(header, probe) if others else 0
        yield beside + others + last + _finishing(probe, job)
        yield beside + others + _ending(probe, job)
        if scaled[0] * scaled[1] < smallest:
            smallest = scaled[0] * scaled[1]
            held += smallest * PIXEL_BYTES


def _taking(header: Header, probe: Probe, level: _Level, job: Job) -> int:
    """Scaling across and then down, alpha weighed in, and the way to sRGB."""
    wanted = job.wanted
    across, down = (a / b for a, b in zip(level.size, wanted.picture, strict=True))
    left, top, right, bottom = wanted.box
    part, scaled = ((right - left) * across, (bottom - top) * down), wanted.scaled
    result = scaled[0] * scaled[1]
    either = scaled[0] * part[1], part[0] * scaled[1]
    # Where one side grows and the other shrinks, the shrinking one goes first.
    twisted = (scaled[0] - part[0]) * (scaled[1] - part[1]) < 0
    between = (min(either) if twisted else max(either)) * level.channel
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
    for number, (operation, then) in enumerate(_steps(canvas, job)):
        held = _bytes(canvas) + first * (turned or number > 0)
        most = max(most, held + operating_bytes(canvas, operation, then))
        canvas = then
    return most


def _scaled(probe: Probe, job: Job) -> Canvas:
    return Canvas(job.start.scaled, probe.alpha)


def _steps(canvas: Canvas, job: Job) -> Iterator[tuple[Operation, Canvas]]:
    """Each step once the picture is scaled, with what it makes of it; after a `trim`, at most."""
    makes: Callable[[Canvas, Operation], Canvas] = after
    for operation in _left(job):
        canvas = makes(canvas, operation)
        yield operation, canvas
        if isinstance(operation, Trim):
            makes = at_most


def _left(job: Job) -> Sequence[Operation]:
    """A resize's padding or cut, then the other operations."""
    if job.start.resize is None:
        return job.start.rest
    resize, placement = job.start.resize
    left = (resize,) if placement.padded or placement.cut else ()
    return (*left, *job.start.rest)


def _result(probe: Probe, job: Job) -> Canvas:
    canvas = _scaled(probe, job)
    return [canvas, *(then for _, then in _steps(canvas, job))][-1]


def _others(probe: Probe, job: Job) -> int:
    """The further frames of a variant that moves: they are encoded together."""
    return (probe.frames - 1) * pixels(job) * _KEPT_FRAME if job.planned.moves else 0


def _ending(probe: Probe, job: Job) -> int:
    """The finished picture, and what encoding it takes."""
    canvas = _result(probe, job)
    return _bytes(canvas) + encoding_bytes(canvas, job.planned.format, job.recipe)


def _bytes(canvas: Canvas) -> int:
    return canvas.size[0] * canvas.size[1] * PIXEL_BYTES
