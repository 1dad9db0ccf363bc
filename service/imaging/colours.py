"""Few colours: how many a picture has, how flat they lie, and pictures with a palette of them."""

from __future__ import annotations

from functools import reduce

from PIL import Image, ImageChops

#: Of a sample of 128 × 128 pixels, a photograph has 8,000 colours and more, a drawing hundreds.
_SAMPLE = (128, 128)
_COLOURS_OF_A_DRAWING = 4_096
#: What is best kept without loss: few colours, most neighbours alike, and not most of the others
#: nearly so, which are the soft slopes of a photograph in gray. Measured on charts, screens and
#: icons, and on ten photographs in colour, in gray and on white, at 200 to 1600 px: of all that
#: pass, lossy WebP is larger or no more than 5% smaller; of no photograph do all three hold.
_COLOURS_OF_A_FLAT_ONE = 640
_ALIKE, _NEARLY = 0.5, 0.6
_FAINT = range(1, 9)
_ROWS = 128


def palette(image: Image.Image, colors: int) -> Image.Image:
    """RGB or RGBA → P with at most so many colours.

    By an octree: a tenth of the median cut's time, and it knows transparency.
    """
    return image.quantize(colors, Image.Quantize.FASTOCTREE)


def is_drawing(image: Image.Image) -> bool:
    """Whether it has few colours, as drawings and screens have, and photographs have not."""
    sample = image.resize(_SAMPLE, Image.Resampling.NEAREST)
    return sample.getcolors(_COLOURS_OF_A_DRAWING) is not None


def is_flat(image: Image.Image) -> bool:
    """Whether RGB or RGBA is so flat, as charts and screens are, that losing nothing is smaller."""
    if image.resize(_SAMPLE, Image.Resampling.NEAREST).getcolors(_COLOURS_OF_A_FLAT_ONE) is None:
        return False
    steps = _steps(image)
    others = sum(steps[1:])
    alike = steps[0] >= _ALIKE * (steps[0] + others)
    return alike and sum(steps[level] for level in _FAINT) <= _NEARLY * others


def _steps(image: Image.Image) -> list[int]:
    """How many neighbours in up to 128 rows differ by so many levels in one of their channels."""
    rows = image.resize((image.width, min(image.height, _ROWS)), Image.Resampling.NEAREST)
    left = rows.crop((0, 0, rows.width - 1, rows.height))
    right = rows.crop((1, 0, rows.width, rows.height))
    return reduce(ImageChops.lighter, ImageChops.difference(left, right).split()).histogram()


def indexed(image: Image.Image, colors: int) -> Image.Image:
    """P as a GIF can hold it: what is less than half visible has a colour of its own, unseen."""
    if image.mode == "RGB":
        return palette(image, colors)
    clear = colors - 1
    indexed = palette(image.convert("RGB"), clear)
    unseen = [255 if alpha < 128 else 0 for alpha in range(256)]
    indexed.paste(clear, mask=image.getchannel("A").point(unseen))
    indexed.info["transparency"] = clear
    return indexed
