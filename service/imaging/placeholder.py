"""What a page may show while a variant is on its way: a colour, or a blur of a few bytes."""

from __future__ import annotations

import blurhash
from PIL import Image

from service.imaging.encode import flattened
from service.imaging.window import Size

#: A grid this fine finds the mean to about two levels of 255, at a hundredth of the cost.
GRID = (64, 64)
_BLUR_PX = 16
#: Waves along the longer and the shorter side.
_BLUR_PARTS = (4, 3)


def dominant_colour(image: Image.Image) -> str | None:
    """The mean colour of an RGB or RGBA picture as #rrggbb; None where nothing can be seen.

    Transparent pixels do not count.
    """
    sample = image.resize(GRID, Image.Resampling.NEAREST)
    mean = sample.resize((1, 1), Image.Resampling.BOX).convert("RGBA")
    red, green, blue, alpha = mean.tobytes()
    return f"#{red:02x}{green:02x}{blue:02x}" if alpha else None


def blur_of(sample: Image.Image, size: Size) -> str:
    """The BlurHash of an RGB or RGBA picture of `size`, from a sample of any shape.

    28 characters; what is transparent counts as white. Of a grid of 16 pixels along the longer
    side: finer ones cost more and look the same.
    Source: https://github.com/woltapp/blurhash, Algorithm.md.
    """
    shorter = max(2, round(_BLUR_PX * min(size) / max(size)))
    wide = size[0] >= size[1]
    width, height = (_BLUR_PX, shorter) if wide else (shorter, _BLUR_PX)
    levels = flattened(sample).resize((width, height), Image.Resampling.BOX).tobytes()
    pixels = [levels[at : at + 3] for at in range(0, len(levels), 3)]
    rows = [pixels[at : at + width] for at in range(0, len(pixels), width)]
    return str(blurhash.encode(rows, *(_BLUR_PARTS if wide else _BLUR_PARTS[::-1])))
