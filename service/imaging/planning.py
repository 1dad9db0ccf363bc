"""What will be made of a picture, from its header alone: the sizes and formats foretold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from service.errors import BadPipeline
from service.imaging import encode
from service.imaging.foretell import Canvas, after, work
from service.imaging.presets import Format, Recipe
from service.imaging.probe import Probe
from service.imaging.quality import MAX_ENCODINGS
from service.imaging.seeking import APART
from service.imaging.window import Size
from service.imaging.words import (
    MAX_OUTPUT_PIXELS,
    MAX_SIDE_PX,
    Crop,
    Gravity,
    Operation,
    Resize,
    Trim,
)

#: Pixels that all steps of a recipe may work on, slow steps counted several times: ten seconds.
MAX_WORK = 500_000_000
#: Pixels of all frames of a moving variant: they are in memory together.
MAX_MOVING_PIXELS = 25_000_000
#: Formats that drawings and screens come in: of WebP, the pixels then say whether to lose any.
_DRAWN = frozenset({"gif", "png", "bmp"})
#: What an encoding costs beside a JPEG's.
_ENCODING: Mapping[Format, int] = MappingProxyType({"webp": 6, "avif": 5})


@dataclass(frozen=True)
class Planned:
    """A variant to come."""

    name: str
    width: int
    height: int
    format: Format
    content_type: str
    #: Whether all frames of a moving picture are kept.
    moves: bool = False
    #: The one that is taken of several frames or pages, from 1.
    frame: int = 1


def plan(probe: Probe, recipe: Recipe) -> Planned:
    """Say exactly what `render` will make of a picture with this header.

    Of a `trim` the header says nothing: the size is then that of a picture without such edges.

    Raises:
        BadPipeline: a step would pass 16,384 pixels a side or 50 megapixels, all steps together,
            with the frames before the one that is taken, `MAX_WORK`, or the result is wider or
            higher than its format can hold.
    """
    frame = min(recipe.frame, probe.frames)
    whole = Canvas((probe.width, probe.height), probe.alpha)
    canvas, cost = _through(recipe, whole, recipe.operations)
    moves = _moves(probe, recipe, canvas.size, cost)
    chosen = _format(probe, recipe, canvas.alpha or moves)
    _hold_file(recipe, chosen, canvas.size, cost + _on_the_way(probe, frame))
    return Planned(recipe.name, *canvas.size, chosen, encode.CONTENT_TYPES[chosen], moves, frame)


def hold_rest(planned: Planned, recipe: Recipe, size: Size, rest: Sequence[Operation]) -> None:
    """Hold what is left to do of a recipe, once a `trim` has shown the size, against the bounds.

    Raises: BadPipeline, as `plan`.
    """
    canvas, cost = _through(recipe, Canvas(size, alpha=True), rest)
    _hold_file(recipe, planned.format, canvas.size, cost)


def _through(recipe: Recipe, canvas: Canvas, steps: Sequence[Operation]) -> tuple[Canvas, int]:
    """What the steps make of a picture, and the pixels they work on, each held to the bounds."""
    cost = 0
    for operation in steps:
        cost += work(canvas, operation)
        canvas = after(canvas, operation)
        _hold(recipe, canvas.size)
        _bound(recipe, "pixels to work on in all steps", MAX_WORK, cost)
    return canvas, cost


def _hold_file(recipe: Recipe, chosen: Format, size: Size, cost: int) -> None:
    _hold(recipe, size, encode.MAX_SIDE_PX[chosen])
    cost += _encodings(recipe) * _ENCODING.get(chosen, 1) * size[0] * size[1]
    _bound(recipe, "pixels to work on in all steps", MAX_WORK, cost)


def _on_the_way(probe: Probe, frame: int) -> int:
    """Pixels of the frames that are decoded before a later one."""
    before = 0 if probe.format in APART else frame - 1
    return before * probe.width * probe.height


def _format(probe: Probe, recipe: Recipe, more_than_jpeg: bool) -> Format:
    if recipe.format != "auto":
        return recipe.format
    return "webp" if more_than_jpeg or probe.format in _DRAWN else "jpeg"


def _encodings(recipe: Recipe) -> int:
    """How often a picture may be encoded until its quality is found, beyond the first time."""
    return MAX_ENCODINGS * ((recipe.similarity is not None) + (recipe.max_bytes is not None))


def _moves(probe: Probe, recipe: Recipe, size: Size, cost: int) -> bool:
    """Whether the variant is to move, and its frames are within the budgets.

    Frames must have one size and place, so what looks for those in the pixels leaves it still.
    """
    can = recipe.format == "auto" or recipe.format in encode.MOVING
    if not (recipe.animated and can and probe.frames > 1):
        return False
    if any(_looks(operation) for operation in recipe.operations):
        return False
    pixels = probe.frames * size[0] * size[1]
    return pixels <= MAX_MOVING_PIXELS and probe.frames * cost <= MAX_WORK


def _looks(operation: Operation) -> bool:
    """Whether an operation decides by the pixels what is left of a picture."""
    if isinstance(operation, Trim):
        return True
    return isinstance(operation, Crop | Resize) and operation.gravity is Gravity.SMART


def _hold(recipe: Recipe, size: Size, format_side_px: int = MAX_SIDE_PX) -> None:
    """Hold a step's result against the bounds. Raises: BadPipeline."""
    for what, limit, actual in (
        ("pixels on a side", min(MAX_SIDE_PX, format_side_px), max(size)),
        ("pixels", MAX_OUTPUT_PIXELS, size[0] * size[1]),
    ):
        _bound(recipe, what, limit, actual)


def _bound(recipe: Recipe, what: str, limit: int, actual: int) -> None:
    if actual > limit:
        raise BadPipeline(
            f"Variant {recipe.name!r} would have {actual} {what}; {limit} are possible",
            field="variants",
            limit=limit,
            actual=actual,
        )
