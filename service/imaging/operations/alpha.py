"""How an operation goes about a picture that may be transparent: RGB or RGBA in, the same out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from PIL import Image, ImageColor

Change = Callable[[Image.Image], Image.Image]
#: Pixels worked on at a time by what holds the interpreter's lock: some milliseconds.
STRIP_PIXELS = 1 << 20


def on_colours(image: Image.Image, change: Change) -> Image.Image:
    """Change the colours pixel by pixel and put the alpha back as it was."""
    if image.mode == "RGB":
        return change(image)
    return _with_alpha_of(image, change(image.convert("RGB")))


def on_visible(image: Image.Image, change: Change) -> Image.Image:
    """Work across pixels, each counting as much as it is seen; the alpha stays as it was.

    `change` must do to RGBa what it does to RGB: blurs and medians do, differences do not.
    """
    if image.mode == "RGB":
        return change(image)
    return _with_alpha_of(image, change(image.convert("RGBa")).convert("RGBA"))


def on_black(image: Image.Image, change: Change) -> Image.Image:
    """Work across pixels on what is seen of the picture before black; the alpha stays."""
    if image.mode == "RGB":
        return change(image)
    seen = Image.new("RGB", image.size)
    seen.paste(image, mask=image.getchannel("A"))
    return _with_alpha_of(image, change(seen))


def _with_alpha_of(image: Image.Image, changed: Image.Image) -> Image.Image:
    changed.putalpha(image.getchannel("A"))
    return changed


def rgba(colour: str) -> tuple[int, int, int, int]:
    """#rrggbb or #rrggbbaa → four levels."""
    levels = ImageColor.getrgb(colour)
    return (*levels[:3], levels[3] if len(levels) == 4 else 255)


def filled(mode: str, size: tuple[int, int], colour: str) -> Image.Image:
    """A new picture of one colour."""
    return Image.new(mode, size, rgba(colour)[: len(mode)])


def blended(over: Image.Image, under: Image.Image, mask: Image.Image) -> Image.Image:
    """`over` where the mask is white, `under` where it is black; RGB if both are."""
    if over.mode == under.mode == "RGB":
        return Image.composite(over, under, mask)
    return Image.composite(_premultiplied(over), _premultiplied(under), mask).convert("RGBA")


def _premultiplied(image: Image.Image) -> Image.Image:
    return image.convert("RGBA").convert("RGBa")


def mixed(changed: Image.Image, image: Image.Image, share: float) -> Image.Image:
    """So much of the one, the rest of the other; both RGB."""
    if share >= 1:
        return changed
    return Image.composite(changed, image, Image.new("L", image.size, round(255 * share)))


def lay(image: Image.Image, layer: Image.Image, at: tuple[int, int] = (0, 0)) -> None:
    """Lay RGBA over an image of one's own, which is changed. The layer lies within it."""
    if image.mode == "RGB":
        image.paste(layer, at, layer)
        return
    for top, bottom in strips(layer.size):
        box = (0, top, layer.width, bottom)
        image.alpha_composite(layer, (at[0], at[1] + top), box)


def strips(size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Tops and bottoms of strips of a picture, between which other threads get their turn."""
    rows = max(1, STRIP_PIXELS // size[0])
    for top in range(0, size[1], rows):
        yield top, min(size[1], top + rows)
