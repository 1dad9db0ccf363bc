"""Which part of a picture to keep: the one where most is to be seen."""

from __future__ import annotations

from PIL import Image

from service.imaging.operations.filters import LAPLACIAN, convolved
from service.imaging.window import Size

#: The picture is looked at this small, at so many places along each side.
_LOOK_PX = 128
_PLACES = 17
#: Edges are told apart by so many levels; those below are none.
_FAINT = 32


def smart_box(image: Image.Image, part: Size) -> tuple[int, int, int, int]:
    """The box of `part` pixels with the highest entropy among 17 × 17, the middle in doubt.

    Entropy is that of the histogram of edges, faint ones left out: a sky has many levels, and
    noise has many edges, but neither is what a picture is of.
    Source: Shannon, "A mathematical theory of communication", 1948, section 6.
    """
    edges = _edges(image)
    scale = (edges.width / image.width, edges.height / image.height)
    free = (image.width - part[0], image.height - part[1])

    def worth(left: int, top: int) -> float:
        box = (
            round(left * scale[0]),
            round(top * scale[1]),
            max(round(left * scale[0]) + 1, round((left + part[0]) * scale[0])),
            max(round(top * scale[1]) + 1, round((top + part[1]) * scale[1])),
        )
        return edges.crop(box).entropy()

    places = [(left, top) for left in _along(free[0]) for top in _along(free[1])]
    left, top = max(places, key=lambda place: worth(*place))
    return left, top, left + part[0], top + part[1]


def _edges(image: Image.Image) -> Image.Image:
    scale = min(1.0, _LOOK_PX / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    seen = Image.new("RGB", image.size)
    seen.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
    small = seen.convert("L").resize(size, Image.Resampling.BOX)
    return convolved(small, LAPLACIAN, 1, 0).point([level // _FAINT for level in range(256)])


def _along(free: int) -> list[int]:
    """Places to try along a side with so many pixels to spare, from the middle outwards."""
    places = {round(free * number / (_PLACES - 1)) for number in range(_PLACES)}
    return sorted(places, key=lambda place: abs(place - free / 2))
