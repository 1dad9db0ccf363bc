"""A stored picture and its recipes → variants, decoding once for all that are of one frame.

`render` runs in a worker thread or an isolated process. Nothing is stored here: it yields the
bytes of one variant after another, largest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from PIL.Image import Image

from service.imaging import exif, marks
from service.imaging.decoding import decode, frames, loops
from service.imaging.jobs import Job, frame_of, grouped
from service.imaging.motion import Motion
from service.imaging.operations import Marks, apply
from service.imaging.operations.shape import fitted
from service.imaging.placeholder import GRID, blur_of, dominant_colour
from service.imaging.planning import hold_rest
from service.imaging.presets import Format, Recipe
from service.imaging.probe import Probe
from service.imaging.pyramid import Pyramid
from service.imaging.quality import Encoded, encoded
from service.imaging.words import Trim
from service.interrupting import checkpoint

#: Called with a stage ("decode", "transform" or "encode"), a format, and seconds.
Observe = Callable[[str, str, float], None]


@dataclass(frozen=True)
class Rendered:
    """A variant made."""

    name: str
    width: int
    height: int
    format: Format
    content_type: str
    data: bytes
    #: Its mean colour as #rrggbb, or None where it is all transparent.
    colour: str | None
    #: The BlurHash of the whole picture, or of the frame it is made of.
    blurhash: str | None = None
    #: What was chosen for it on the encoder's own scale; None where nothing is lost.
    quality: int | None = None
    #: Its likeness to what was encoded (SSIM of the luma), where that was asked for.
    score: float | None = None


def _unobserved(_stage: str, _format: str, _seconds: float) -> None:
    """Where nobody measures."""


def render(
    source: Path,
    probe: Probe,
    recipes: Sequence[Recipe],
    *,
    watermarks: Path | None = None,
    observe: Observe = _unobserved,
) -> Iterator[Rendered]:
    """Make the variants of one frame after another's, the first one's last, and of each the largest
    first; each has the size that `plan` foretold.

    `watermarks` is the folder of the operator's own images, if there is one. Of several frames
    the first is taken, unless a recipe names another or keeps the picture moving. Colours become
    sRGB, and nothing but pixels is kept. Memory: about 40 MiB for a 20-megapixel photograph's
    usual variants.

    Raises:
        BadPipeline: as `plan`, before anything is decoded; a watermark's image is not there;
            what `trim` left would grow too large, or take too long; a frame has another size than
            the first.
        BrokenPicture: the pixels cannot be decoded: cut short, corrupt, or not what was probed.
        MemoryError: not the picture's fault, its size being within limits: try again later.
        GivenUp: nobody waits for it any more; looked for between two steps.
    """
    theirs = marks.read(recipes, watermarks)
    for jobs in grouped(probe, recipes):
        yield from _of_one_frame(source, probe, jobs, theirs, observe)


def _of_one_frame(
    source: Path, probe: Probe, jobs: Sequence[Job], theirs: Marks, observe: Observe
) -> Iterator[Rendered]:
    with _timed(observe, "decode", probe.format):
        # Nothing else may hold the whole picture: it goes as soon as no variant is taken from it.
        wanted = [job.wanted for job in jobs]
        pyramid = Pyramid((decode(source, probe, wanted, frame_of(jobs[0])),))
        sample = exif.upright(pyramid.levels[0].sample(GRID), probe.orientation)
        blur = blur_of(sample, (probe.width, probe.height))
    for index, job in enumerate(jobs):
        checkpoint()
        with _timed(observe, "transform", job.planned.format):
            image, pyramid = pyramid.take(job.wanted)
            pyramid = pyramid.kept_for(later.wanted for later in jobs[index + 1 :])
            if job.planned.moves:
                image, motion = _moving(source, probe, job, theirs)
            else:
                image, motion = _finish(exif.upright(image, probe.orientation), job, theirs), None
        checkpoint()
        with _timed(observe, "encode", job.planned.format):
            file = encoded(image, job.planned.format, job.recipe, motion)
        yield _rendered(job, image, file, blur)


def _moving(source: Path, probe: Probe, job: Job, theirs: Marks) -> tuple[Image, Motion]:
    """The first frame and those after it, each made of its own pixels."""
    finished, durations = [], []
    for frame in frames(source, probe):
        image = exif.upright(frame.level.take(job.wanted), probe.orientation)
        finished.append(_finish(image, job, theirs))
        durations.append(frame.duration)
    return finished[0], Motion(finished[1:], durations, loops(source, probe))


def _finish(image: Image, job: Job, theirs: Marks) -> Image:
    """What is left of the recipe once the pyramid has scaled the picture.

    Raises: BadPipeline where a step after a `trim` would pass the bounds, which `plan` cannot know.
    """
    if job.start.resize is not None:
        resize, placement = job.start.resize
        image = fitted(image, placement, resize)
    for number, operation in enumerate(job.start.rest, 1):
        checkpoint()
        image = apply(image, operation, theirs)
        if isinstance(operation, Trim):
            hold_rest(job.planned, job.recipe, image.size, job.start.rest[number:])
    return image


def _rendered(job: Job, image: Image, file: Encoded, blur: str) -> Rendered:
    planned = job.planned
    return Rendered(
        planned.name,
        *image.size,
        planned.format,
        planned.content_type,
        file.data,
        dominant_colour(image),
        blur,
        file.quality,
        file.score,
    )


@contextmanager
def _timed(observe: Observe, stage: str, picture_format: str) -> Iterator[None]:
    started = perf_counter()
    yield
    observe(stage, picture_format, perf_counter() - started)
