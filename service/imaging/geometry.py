"""Where a resize puts which part of a picture: whole numbers out, no pixels touched.

`pipeline.plan` and the pixels both come here, so a size foretold is the size made.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.imaging.presets import Fit, Resize

Size = tuple[int, int]
#: left, top, right, bottom in pixels, with fractions.
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Placement:
    """One resize, worked out: `box` of the source is scaled to `scaled` and put at `offset`."""

    #: The output, in pixels.
    size: Size
    box: Box
    scaled: Size
    offset: Size = (0, 0)
    whole: bool = True

    @property
    def padded(self) -> bool:
        return self.size != self.scaled


def whole(size: Size) -> Box:
    """The box that is all of a picture."""
    return (0.0, 0.0, float(size[0]), float(size[1]))


def place(source: Size, resize: Resize) -> Placement:
    """Work a resize out for a picture of `source` pixels.

    Every side of the result is at least 1 and, without `enlarge`, no part is scaled up.
    """
    if resize.width is None or resize.height is None:
        return _scaled(source, _in_proportion(source, resize))
    box = (resize.width, resize.height)
    match resize.fit:
        case Fit.INSIDE:
            return _scaled(source, _proportional(source, box, resize.enlarge, larger=False))
        case Fit.OUTSIDE:
            return _scaled(source, _proportional(source, box, resize.enlarge, larger=True))
        case Fit.FILL:
            stretched = box if resize.enlarge else _least(box, source)
            return _scaled(source, stretched)
        case Fit.COVER:
            return _cover(source, box if resize.enlarge else _shrunk(box, source))
        case Fit.CONTAIN:
            return _contain(source, box, resize.enlarge)


def _scaled(source: Size, size: Size) -> Placement:
    return Placement(size, whole(source), size)


def _in_proportion(source: Size, resize: Resize) -> Size:
    """The size with one side given."""
    box = (resize.width or source[0], resize.height or source[1])
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


def _cover(source: Size, size: Size) -> Placement:
    """The largest centred part of the picture with the proportions of `size`."""
    width = min(float(source[0]), source[1] * size[0] / size[1])
    height = min(float(source[1]), source[0] * size[1] / size[0])
    left, top = (source[0] - width) / 2, (source[1] - height) / 2
    box = (left, top, source[0] - left, source[1] - top)
    return Placement(size, box, size, whole=left == top == 0)


def _contain(source: Size, size: Size, enlarge: bool) -> Placement:
    scaled = _proportional(source, size, enlarge, larger=False)
    offset = ((size[0] - scaled[0]) // 2, (size[1] - scaled[1]) // 2)
    return Placement(size, whole(source), scaled, offset)


def _least(one: Size, other: Size) -> Size:
    return min(one[0], other[0]), min(one[1], other[1])


def _divide(numerator: int, denominator: int) -> int:
    """Division rounded to the nearest, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)
