"""A stored picture and its recipes → variants, decoding once; and the sizes foretold.

`plan` runs on the way of the upload, `render` in a worker thread or an isolated process. Nothing
is stored here: `render` yields the bytes of one variant after another, largest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from PIL.Image import Image
from PIL.ImageFile import ImageFile

from service.errors import BadPipeline, BrokenPicture
from service.imaging import colour, encode, exif
from service.imaging.geometry import Box, Placement, Size, place, whole
from service.imaging.opening import opened, quietly
from service.imaging.operations import apply, opens, pad
from service.imaging.placeholder import dominant_colour
from service.imaging.presets import MAX_OUTPUT_PIXELS, MAX_SIDE_PX, Format, Recipe, Resize
from service.imaging.probe import Probe
from service.imaging.pyramid import Level, Pyramid, Wanted
from service.interrupting import checkpoint

#: Called with a stage ("decode", "transform" or "encode"), a format, and seconds.
Observe = Callable[[str, str, float], None]


@dataclass(frozen=True)
class Planned:
    """A variant to come."""

    name: str
    width: int
    height: int
    format: Format
    content_type: str


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


def plan(probe: Probe, recipe: Recipe) -> Planned:
    """Say exactly what `render` will make of a picture with this header.

    Raises:
        BadPipeline: a step would pass 16,384 pixels a side or 50 megapixels, or the result
            is wider or higher than its format can hold.
    """
    size, alpha = (probe.width, probe.height), probe.alpha
    for operation in recipe.operations:
        if isinstance(operation, Resize):
            size = place(size, operation).size
        alpha = alpha or opens(operation)
        _bound(recipe, size, MAX_SIDE_PX)
    chosen = _format(recipe, alpha)
    _bound(recipe, size, min(MAX_SIDE_PX, encode.MAX_SIDE_PX[chosen]))
    return Planned(recipe.name, *size, chosen, encode.CONTENT_TYPES[chosen])


def _format(recipe: Recipe, alpha: bool) -> Format:
    if recipe.format != "auto":
        return recipe.format
    return "webp" if alpha else "jpeg"


def _bound(recipe: Recipe, size: Size, max_side_px: int) -> None:
    for what, limit, actual in (
        ("pixels on a side", max_side_px, max(size)),
        ("pixels", MAX_OUTPUT_PIXELS, size[0] * size[1]),
    ):
        if actual > limit:
            raise BadPipeline(
                f"Variant {recipe.name!r} would have {actual} {what}; {limit} are possible",
                field="variants",
                limit=limit,
                actual=actual,
            )


def _unobserved(_stage: str, _format: str, _seconds: float) -> None:
    """Where nobody measures."""


def render(
    source: Path, probe: Probe, recipes: Sequence[Recipe], *, observe: Observe = _unobserved
) -> Iterator[Rendered]:
    """Make the variants, largest first; each has the size that `plan` foretold.

    Of a moving picture the first frame is taken. Colours become sRGB, and nothing but pixels
    is kept. Memory: about 40 MiB for a 20-megapixel photograph's usual variants.

    Raises:
        BadPipeline: as `plan`, before anything is decoded.
        BrokenPicture: the pixels cannot be decoded: cut short, corrupt, or not what was probed.
        MemoryError: not the picture's fault, its size being within limits: try again later.
        GivenUp: nobody waits for it any more; looked for between two steps.
    """
    jobs = sorted((_job(probe, recipe) for recipe in recipes), key=_pixels, reverse=True)
    with _timed(observe, "decode", probe.format):
        pyramid = Pyramid((_decode(source, probe, [job.wanted for job in jobs]),))
    for index, job in enumerate(jobs):
        checkpoint()
        with _timed(observe, "transform", job.planned.format):
            image, pyramid = pyramid.take(job.wanted)
            pyramid = pyramid.kept_for(later.wanted for later in jobs[index + 1 :])
            image = _finish(exif.upright(image, probe.orientation), job)
        checkpoint()
        with _timed(observe, "encode", job.planned.format):
            data = encode.encode(image, job.planned.format, job.recipe.quality)
        yield _rendered(job, image, data)


@dataclass(frozen=True)
class _Job:
    """One recipe for one picture: what to take from the pyramid, and what is then left to do."""

    recipe: Recipe
    planned: Planned
    wanted: Wanted
    #: The recipe's first resize, if it is the first step: the pyramid has done its scaling.
    placement: Placement | None


def _pixels(job: _Job) -> int:
    return job.planned.width * job.planned.height


def _job(probe: Probe, recipe: Recipe) -> _Job:
    size = (probe.width, probe.height)
    first = recipe.operations[0] if recipe.operations else None
    placement = place(size, first) if isinstance(first, Resize) else None
    box, scaled = (placement.box, placement.scaled) if placement else (whole(size), size)
    if exif.swaps_axes(probe.orientation):
        # Boxes are centred, so turning exchanges their axes and moves nothing.
        size, scaled, box = _swapped(size), _swapped(scaled), (box[1], box[0], box[3], box[2])
    return _Job(recipe, plan(probe, recipe), Wanted(size, box, scaled), placement)


def _swapped(size: Size) -> Size:
    return size[1], size[0]


def _decode(source: Path, probe: Probe, wanted: Sequence[Wanted]) -> Level:
    """The whole picture, in the modes `resample` takes, no larger than the largest wanted needs.

    Raises:
        BrokenPicture: whatever went wrong, but for want of memory.
    """
    try:
        with opened(source, probe.format) as image, quietly(probe.format):
            stored = _swapped(image.size) if exif.swaps_axes(probe.orientation) else image.size
            if stored != (probe.width, probe.height):
                raise BrokenPicture("The picture is not the one that was examined")
            profile = image.info.get("icc_profile")
            box = _draft(image, wanted)
            image.load()
            return Level(_detached(colour.prepare(image)), box, profile)
    except (BrokenPicture, MemoryError):
        raise
    # Pillow's decoders raise a dozen unrelated types at broken files; all mean the same here.
    except Exception as error:
        raise BrokenPicture(f"The picture cannot be decoded: {error}") from error


def _draft(image: ImageFile, wanted: Sequence[Wanted]) -> Box:
    """Have a JPEG decoded at 1/2, 1/4 or 1/8 where that is still enough; where the picture lies."""
    sizes = [want.size_of_all for want in wanted]
    width, height = (max(1, round(max(size[axis] for size in sizes))) for axis in (0, 1))
    drafted = image.draft(None, (width, height))
    return drafted[1] if drafted else whole(image.size)


def _detached(image: Image) -> Image:
    """The pixels without the decoder behind them, which may hold two more copies (WebP)."""
    detached = image._new(image.im)
    detached.info = {}
    return detached


def _finish(image: Image, job: _Job) -> Image:
    """What is left of the recipe once the pyramid has scaled the picture."""
    operations = job.recipe.operations
    if job.placement is not None and isinstance(operations[0], Resize):
        image = pad(image, job.placement, operations[0])
        operations = operations[1:]
    for operation in operations:
        checkpoint()
        image = apply(image, operation)
    return image


def _rendered(job: _Job, image: Image, data: bytes) -> Rendered:
    planned = job.planned
    return Rendered(
        planned.name,
        *image.size,
        planned.format,
        planned.content_type,
        data,
        dominant_colour(image),
    )


@contextmanager
def _timed(observe: Observe, stage: str, picture_format: str) -> Iterator[None]:
    started = perf_counter()
    yield
    observe(stage, picture_format, perf_counter() - started)
