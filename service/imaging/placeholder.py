"""What a page may show while a variant is on its way."""

from __future__ import annotations

from PIL import Image

#: A grid this fine finds the mean to about two levels of 255, at a hundredth of the cost.
_GRID = (64, 64)


def dominant_colour(image: Image.Image) -> str | None:
    """The mean colour of an RGB or RGBA picture as #rrggbb; None where nothing can be seen.

    Transparent pixels do not count.
    """
    sample = image.resize(_GRID, Image.Resampling.NEAREST)
    mean = sample.resize((1, 1), Image.Resampling.BOX).convert("RGBA")
    red, green, blue, alpha = mean.tobytes()
    return f"#{red:02x}{green:02x}{blue:02x}" if alpha else None
