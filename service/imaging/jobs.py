"""One recipe for one picture: what to take from the pyramid, and what is then left to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from service.imaging import exif
from service.imaging.geometry import Placement, place
from service.imaging.planning import Planned, plan
from service.imaging.presets import Recipe
from service.imaging.probe import Probe
from service.imaging.pyramid import Wanted
from service.imaging.window import Box, Size, cut_out, is_smart
from service.imaging.words import Crop, Operation, Resize


@dataclass(frozen=True)
class Job:
    """One recipe for one picture: what to take from the pyramid, and what is then left to do."""

    recipe: Recipe
    planned: Planned
    wanted: Wanted
    start: Start


def pixels(job: Job) -> int:
    """Of the variant."""
    return job.planned.width * job.planned.height


def frame_of(job: Job) -> int:
    """The one that it takes of several frames or pages, from 1."""
    return job.planned.frame


def grouped(probe: Probe, recipes: Sequence[Recipe]) -> list[list[Job]]:
    """The jobs of each frame that is wanted, the largest first, and the first frame's last: the
    colour and the blur of what is made last are the picture's.

    Raises: BadPipeline, as `plan`.
    """
    jobs = [job_of(probe, recipe) for recipe in recipes]
    jobs.sort(key=lambda job: (frame_of(job), pixels(job)), reverse=True)
    return [list(group) for _, group in groupby(jobs, frame_of)]


def job_of(probe: Probe, recipe: Recipe) -> Job:
    """Work a recipe out for a picture. Raises: BadPipeline, as `plan`."""
    size = (probe.width, probe.height)
    start = _start(size, recipe.operations)
    box, scaled = exif.as_stored(start.box, size, probe.orientation), start.scaled
    if exif.swaps_axes(probe.orientation):
        size, scaled = swapped(size), swapped(scaled)
    return Job(recipe, plan(probe, recipe), Wanted(size, box, scaled), start)


@dataclass(frozen=True)
class Start:
    """What the pyramid does of a recipe: a crop and a resize, if it begins with them."""

    #: The part of the displayed picture, and the size it is scaled to.
    box: Box
    scaled: Size
    #: The steps after that.
    rest: tuple[Operation, ...]
    #: The resize, if there is one: its padding or smart cut is still to be done.
    resize: tuple[Resize, Placement] | None = None


def _start(size: Size, operations: tuple[Operation, ...]) -> Start:
    left, top, right, bottom = 0, 0, *size
    if operations and isinstance(operations[0], Crop) and not is_smart(operations[0]):
        left, top, right, bottom = cut_out(size, operations[0])
        operations = operations[1:]
    part = (right - left, bottom - top)
    if not operations or not isinstance(operations[0], Resize):
        return Start((left, top, right, bottom), part, operations)
    placement = place(part, operations[0])
    box = placement.box
    return Start(
        (left + box[0], top + box[1], left + box[2], top + box[3]),
        placement.scaled,
        operations[1:],
        (operations[0], placement),
    )


def swapped(size: Size) -> Size:
    """Width and height exchanged."""
    return size[1], size[0]
