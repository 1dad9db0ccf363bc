"""Where a resize puts which part of a picture, and what other steps make of its size.

Whole numbers out, no pixels touched. `foretell` and the pixels both come here, so a size foretold
is the size made.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, cos, radians, sin

from service.imaging.window import Box, Size, placed, whole
from service.imaging.words import Border, Fit, Gravity, Pad, Resize, Shadow

#: A shadow's blur is cut off at this many standard deviations, where nobody sees it any more.
_SHADOW_REACH = 2.5


@dataclass(frozen=True)
class Placement:
    """One resize, worked out: `box` of the source is scaled to `scaled` and put at `offset`."""

    #: The output, in pixels.
    size: Size
    box: Box
    scaled: Size
    offset: Size = (0, 0)

    @property
    def padded(self) -> bool:
        """Whether room is left around what was scaled."""
        return self.scaled[0] < self.size[0] or self.scaled[1] < self.size[1]

    @property
    def cut(self) -> bool:
        """Whether what was scaled is still to be cut to size, where its pixels say."""
        return self.scaled[0] > self.size[0] or self.scaled[1] > self.size[1]


@dataclass(frozen=True)
class Margins:
    """Room around a picture, in pixels."""

    left: int
    top: int
    right: int
    bottom: int

    def around(self, size: Size) -> Size:
        """The size with this room added."""
        return size[0] + self.left + self.right, size[1] + self.top + self.bottom


def margins(operation: Pad | Border | Shadow) -> Margins:
    """The room that an operation adds."""
    if isinstance(operation, Pad):
        return Margins(operation.left, operation.top, operation.right, operation.bottom)
    if isinstance(operation, Border):
        return Margins(*(operation.width,) * 4)
    reach = ceil(_SHADOW_REACH * operation.blur)
    return Margins(
        left=max(0, reach - operation.x),
        top=max(0, reach - operation.y),
        right=max(0, reach + operation.x),
        bottom=max(0, reach + operation.y),
    )


def turned(size: Size, angle: float) -> Size:
    """The smallest size that holds a picture of `size` turned by `angle` degrees."""
    if angle % 90 == 0:
        return size if angle % 180 == 0 else (size[1], size[0])
    across, down = abs(cos(radians(angle))), abs(sin(radians(angle)))
    width, height = size[0] * across + size[1] * down, size[0] * down + size[1] * across
    return ceil(round(width, 6)), ceil(round(height, 6))


def place(source: Size, resize: Resize) -> Placement:
    """Work a resize out for a picture of `source` pixels.

    Every side of the result is at least 1 and, without `enlarge`, no part is scaled up.
    """
    if resize.scale is not None:
        return _scaled(source, _times(source, resize.scale * resize.dpr, resize.enlarge))
    if resize.width is None or resize.height is None:
        return _scaled(source, _in_proportion(source, resize))
    box = _times((resize.width, resize.height), resize.dpr)
    match resize.fit:
        case Fit.INSIDE:
            return _scaled(source, _proportional(source, box, resize.enlarge, larger=False))
        case Fit.OUTSIDE:
            return _scaled(source, _proportional(source, box, resize.enlarge, larger=True))
        case Fit.FILL:
            stretched = box if resize.enlarge else _least(box, source)
            return _scaled(source, stretched)
        case Fit.COVER:
            return _cover(source, box if resize.enlarge else _shrunk(box, source), resize)
        case Fit.CONTAIN:
            return _contain(source, box, resize)


def _scaled(source: Size, size: Size) -> Placement:
    return Placement(size, whole(source), size)


def _in_proportion(source: Size, resize: Resize) -> Size:
    """The size with one side given."""
    box = _times((resize.width or source[0], resize.height or source[1]), resize.dpr)
    return _proportional(source, box, resize.enlarge, larger=True, axis=0 if resize.width else 1)


def _proportional(
    source: Size, box: Size, enlarge: bool, *, larger: bool, axis: int | None = None
) -> Size:
    """`source` scaled to meet the box at one side exactly: at `axis`, or at the one that binds."""
    if axis is None:
        wide = box[0] * source[1] >= box[1] * source[0]
        axis = 0 if wide == larger else 1
    if box[axis] >= source[axis] and not enlarge:
        return source
    other = max(1, _divide(source[1 - axis] * box[axis], source[axis]))
    return (box[axis], other) if axis == 0 else (other, box[axis])


def _shrunk(box: Size, source: Size) -> Size:
    """The box, smaller in proportion until the picture covers it unscaled."""
    if box[0] <= source[0] and box[1] <= source[1]:
        return box
    return _least(_proportional(box, source, enlarge=True, larger=False), source)


def _cover(source: Size, size: Size, resize: Resize) -> Placement:
    """The largest part of the picture with the proportions of `size`."""
    if resize.gravity is Gravity.SMART and resize.focus is None:
        scaled = _proportional(source, size, enlarge=True, larger=True)
        return Placement(size, whole(source), scaled)
    width = min(float(source[0]), source[1] * size[0] / size[1])
    height = min(float(source[1]), source[0] * size[1] / size[0])
    left, top = placed(source, (width, height), resize.gravity, resize.focus)
    right, bottom = min(left + width, float(source[0])), min(top + height, float(source[1]))
    return Placement(size, (left, top, right, bottom), size)


def _contain(source: Size, size: Size, resize: Resize) -> Placement:
    scaled = _proportional(source, size, resize.enlarge, larger=False)
    left, top = placed(size, scaled, resize.gravity)
    return Placement(size, whole(source), scaled, (int(left), int(top)))


def _times(size: Size, factor: float, enlarge: bool = True) -> Size:
    if factor == 1 or (factor > 1 and not enlarge):
        return size
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _least(one: Size, other: Size) -> Size:
    return min(one[0], other[0]), min(one[1], other[1])


def _divide(numerator: int, denominator: int) -> int:
    """Division rounded to the nearest, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)
