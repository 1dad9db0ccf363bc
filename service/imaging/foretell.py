"""What each operation makes of a picture's size and transparency, before any pixel is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from service.imaging import words
from service.imaging.geometry import margins, place, turned
from service.imaging.window import Size, part_of


@dataclass(frozen=True)
class Canvas:
    """A picture as far as it is known."""

    #: In pixels.
    size: Size
    #: Whether it can hold transparency.
    alpha: bool


def after(canvas: Canvas, operation: words.Operation) -> Canvas:
    """The picture once an operation has been carried out; of a `trim`, as if it cut nothing."""
    resized = _SIZES.get(operation.op)
    return Canvas(
        resized(canvas.size, operation) if resized else canvas.size,
        (canvas.alpha and not _closes(operation)) or opens(operation),
    )


def opens(operation: words.Operation) -> bool:
    """Whether this operation can make an opaque picture transparent."""
    match operation:
        case words.Resize():
            both = operation.width is not None and operation.height is not None
            padded = both and operation.fit is words.Fit.CONTAIN
            return padded and words.is_clear(operation.background)
        case words.Rotate():
            return operation.angle % 90 != 0 and words.is_clear(operation.background)
        case words.Pad() | words.Shadow() | words.RoundCorners():
            return words.is_clear(operation.background)
        case words.Border():
            return words.is_clear(operation.color)
        case _:
            return False


def _closes(operation: words.Operation) -> bool:
    return isinstance(operation, words.Background) and not words.is_clear(operation.color)


def work(before: Canvas, operation: words.Operation) -> int:
    """What an operation costs: pixels, times how many a plain lookup does in the same time."""
    sizes = (before.size, after(before, operation).size)
    weight = _WEIGHTS.get(operation.op, 1)
    if isinstance(operation, words.Denoise):
        weight *= operation.passes
    return weight * max(width * height for width, height in sizes)


#: Of what takes longer than about 10 ns a pixel; `python -m bench operations` measures it.
_WEIGHTS: Mapping[str, int] = MappingProxyType(
    {
        "convolve": 2,
        "emboss": 2,
        "equalize": 2,
        "round_corners": 2,
        "edge": 3,
        "blur": 4,
        "sharpen": 4,
        "shadow": 4,
        "rotate": 8,
        "denoise": 8,
    }
)

#: Operations that change the size.
_SIZES: Mapping[str, Callable[[Size, Any], Size]] = MappingProxyType(
    {
        "resize": lambda size, operation: place(size, operation).size,
        "crop": part_of,
        "rotate": lambda size, operation: turned(size, operation.angle),
        "pad": lambda size, operation: margins(operation).around(size),
        "border": lambda size, operation: margins(operation).around(size),
        "shadow": lambda size, operation: margins(operation).around(size),
    }
)
