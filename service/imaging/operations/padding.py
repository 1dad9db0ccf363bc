"""Room around a picture, and what fills it."""

from __future__ import annotations

from PIL import Image, ImageFilter

from service.imaging.geometry import place
from service.imaging.operations.alpha import filled
from service.imaging.placeholder import dominant_colour
from service.imaging.resample import resample
from service.imaging.words import Resize, is_clear

#: The blurred picture behind a picture is made this much smaller first: nobody sees it sharp.
_BLURRED_SIDE_PX = 160
_BLUR_PX = 6


def framed(
    image: Image.Image, size: tuple[int, int], offset: tuple[int, int], background: str
) -> Image.Image:
    """Put an image on a larger canvas; the picture's own transparent parts stay so.

    `background` is #rrggbb[aa], `auto` (the picture's mean colour) or `blur`.
    """
    if background == "blur":
        canvas = _blurred(image, size)
    elif background == "auto":
        canvas = filled(image.mode, size, dominant_colour(image) or "#ffffff")
    else:
        canvas = filled("RGBA" if is_clear(background) else image.mode, size, background)
    canvas.paste(image.convert(canvas.mode), offset)
    return canvas


def _blurred(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture, stretched over a canvas of `size` and blurred."""
    least = min(1.0, _BLURRED_SIDE_PX / max(size))
    small = (max(1, round(size[0] * least)), max(1, round(size[1] * least)))
    cover = Resize(width=small[0], height=small[1], fit="cover", enlarge=True)
    placement = place(image.size, cover)
    background = resample(image, placement.scaled, placement.box)
    return resample(background.filter(ImageFilter.GaussianBlur(_BLUR_PX)), size)
