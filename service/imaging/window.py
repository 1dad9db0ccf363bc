"""Where a part lies within a whole: gravities, focal points and boxes, in pixels."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from service.imaging.words import Crop, Focus, Gravity

Size: TypeAlias = tuple[int, int]
#: left, top, right, bottom in pixels, with fractions.
Box: TypeAlias = tuple[float, float, float, float]

#: Of the room left over, the shares that lie to the left and above; `smart` looks elsewhere.
ANCHORS: Mapping[Gravity, tuple[float, float]] = MappingProxyType(
    {
        Gravity.CENTER: (0.5, 0.5),
        Gravity.NORTH: (0.5, 0.0),
        Gravity.NORTHEAST: (1.0, 0.0),
        Gravity.EAST: (1.0, 0.5),
        Gravity.SOUTHEAST: (1.0, 1.0),
        Gravity.SOUTH: (0.5, 1.0),
        Gravity.SOUTHWEST: (0.0, 1.0),
        Gravity.WEST: (0.0, 0.5),
        Gravity.NORTHWEST: (0.0, 0.0),
        Gravity.SMART: (0.5, 0.5),
    }
)


def whole(size: Size) -> Box:
    """The box that is all of a picture."""
    return (0.0, 0.0, float(size[0]), float(size[1]))


def placed(
    room: tuple[float, float],
    part: tuple[float, float],
    gravity: Gravity,
    focus: Focus | None = None,
) -> tuple[float, float]:
    """The left and top of a part no larger than its room; the focus is kept near its middle."""
    free = (room[0] - part[0], room[1] - part[1])
    if focus is None:
        across, down = ANCHORS[gravity]
        return free[0] * across, free[1] * down
    return (
        min(max(0.0, focus.x * room[0] - part[0] / 2), free[0]),
        min(max(0.0, focus.y * room[1] - part[1] / 2), free[1]),
    )


def part_of(size: Size, crop: Crop) -> Size:
    """The size of what a crop leaves of a picture of `size`; at least 1 × 1."""
    if crop.aspect is None:
        return min(crop.width or size[0], size[0]), min(crop.height or size[1], size[1])
    width = min(size[0], max(1, round(size[1] * crop.aspect)))
    return width, min(size[1], max(1, round(size[0] / crop.aspect)))


def cut_out(size: Size, crop: Crop) -> tuple[int, int, int, int]:
    """The box of a crop in whole pixels; a box that reaches over an edge is moved in."""
    part = part_of(size, crop)
    left, top = (int(edge) for edge in placed(size, part, crop.gravity, crop.focus))
    if crop.x is not None:
        left = min(crop.x, size[0] - part[0])
    if crop.y is not None:
        top = min(crop.y, size[1] - part[1])
    return left, top, left + part[0], top + part[1]


def is_smart(operation: Crop) -> bool:
    """Whether only the pixels can say where this crop lies."""
    free = operation.focus is None and operation.x is None and operation.y is None
    return free and operation.gravity is Gravity.SMART
