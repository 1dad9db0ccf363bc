"""Few colours: how many a picture has, and pictures with a palette of them."""

from __future__ import annotations

from PIL import Image

#: Of a sample of 128 × 128 pixels, a photograph has 8,000 colours and more, a drawing hundreds.
_SAMPLE = (128, 128)
_COLOURS_OF_A_DRAWING = 4_096


def palette(image: Image.Image, colors: int) -> Image.Image:
    """RGB or RGBA → P with at most so many colours.

    By an octree: a tenth of the median cut's time, and it knows transparency.
    """
    return image.quantize(colors, Image.Quantize.FASTOCTREE)


def is_drawing(image: Image.Image) -> bool:
    """Whether it has few colours, as drawings and screens have, and photographs have not."""
    sample = image.resize(_SAMPLE, Image.Resampling.NEAREST)
    return sample.getcolors(_COLOURS_OF_A_DRAWING) is not None


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
