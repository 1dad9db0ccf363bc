"""The pixels of what lies over a picture or under it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, radians, sin

from PIL import Image, ImageChops, ImageDraw, ImageFont

from service.imaging import words
from service.imaging.operations.alpha import filled, lay, on_colours, rgba, strips
from service.imaging.operations.shape import lean
from service.imaging.resample import resample
from service.imaging.window import placed

_Mix = Callable[[Image.Image, Image.Image], Image.Image]

_LEAST_LETTERS_PX = 6
#: A gradient's steps: more than there are levels would not be seen.
_STEPS = 256
#: Source: W3C Compositing and Blending, section 9 (Pillow's ImageChops).
_BLENDS: Mapping[words.Blend, _Mix] = {
    words.Blend.MULTIPLY: ImageChops.multiply,
    words.Blend.SCREEN: ImageChops.screen,
    words.Blend.OVERLAY: ImageChops.overlay,
    words.Blend.DARKEN: ImageChops.darker,
    words.Blend.LIGHTEN: ImageChops.lighter,
    words.Blend.HARD_LIGHT: ImageChops.hard_light,
    words.Blend.SOFT_LIGHT: ImageChops.soft_light,
    words.Blend.DIFFERENCE: ImageChops.difference,
}


def background(image: Image.Image, operation: words.Background) -> Image.Image:
    """The picture on a colour: RGB where that lets nothing through."""
    if image.mode == "RGB":
        return image.copy()
    mode = "RGBA" if words.is_clear(operation.color) else "RGB"
    canvas = filled(mode, image.size, operation.color)
    lay(canvas, image)
    return canvas


def gradient(image: Image.Image, operation: words.Gradient) -> Image.Image:
    """The colour, from nothing at `start` of the way to its own opacity at the end.

    The way goes from one side or corner to the opposite one, in the direction of `angle`.
    """
    shade = rgba(operation.color)
    reach = max(1e-6, 1 - operation.start)
    fall = [
        round(shade[3] * max(0.0, (level / 255 - operation.start) / reach)) for level in range(256)
    ]
    mask = _ramp(operation.angle).point(fall).resize(image.size, Image.Resampling.BILINEAR)

    def change(colours: Image.Image) -> Image.Image:
        return Image.composite(filled("RGB", colours.size, operation.color), colours, mask)

    return on_colours(image, change)


def _ramp(angle: float) -> Image.Image:
    """A square that goes from black to white in a direction, 0 being upwards, 90 to the right."""
    right, down = sin(radians(angle)), -cos(radians(angle))
    length = abs(right) + abs(down)
    right, down = right / length, down / length
    start = _STEPS * (1 - right - down) / 2
    matrix = (0.0, 0.0, _STEPS / 2, right, down, start)
    straight, affine = Image.linear_gradient("L"), Image.Transform.AFFINE
    return straight.transform((_STEPS, _STEPS), affine, matrix, Image.Resampling.NEAREST)


def watermark(image: Image.Image, operation: words.Watermark, mark: Image.Image) -> Image.Image:
    """The mark (RGBA) over the picture, no larger than it."""
    width = mark.width
    if operation.scale is not None:
        width = max(1, round(image.width * operation.scale))
    factor = min(width / mark.width, image.width / mark.width, image.height / mark.height)
    size = (max(1, round(mark.width * factor)), max(1, round(mark.height * factor)))
    return _put(image, resample(mark, size), operation)


def text(image: Image.Image, operation: words.Text) -> Image.Image:
    """One line in the font that comes with Pillow; smaller where it would not fit."""
    room = max(1, image.width - 2 * operation.margin)
    font = ImageFont.load_default(operation.size)
    length = font.getlength(operation.text)
    if length > room:
        font = ImageFont.load_default(max(_LEAST_LETTERS_PX, int(operation.size * room / length)))
    mark = _written(operation, font)
    if operation.angle:
        mark = lean(mark, operation.angle)
    factor = min(1.0, room / mark.width, image.height / mark.height)
    size = (max(1, int(mark.width * factor)), max(1, int(mark.height * factor)))
    return _put(image, resample(mark, size), operation)


def _written(
    operation: words.Text, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> Image.Image:
    """The line by itself, RGBA, as large as it is."""
    left, top, right, bottom = (int(edge) for edge in font.getbbox(operation.text))
    size = (max(1, right - left), max(1, bottom - top))
    letters = Image.new("L", size)
    ImageDraw.Draw(letters).text((-left, -top), operation.text, fill=255, font=font)
    mark = filled("RGBA", size, operation.color)
    mark.putalpha(_dimmed(letters, rgba(operation.color)[3] / 255))
    return mark


def _put(
    image: Image.Image, mark: Image.Image, operation: words.Watermark | words.Text
) -> Image.Image:
    """The picture with a mark that is no larger, once or all over."""
    mark.putalpha(_dimmed(mark.getchannel("A"), operation.opacity))
    marked = image.copy()
    if operation.tile:
        _lay_blended(marked, _tiled(mark, image.size, operation.margin), (0, 0), operation.blend)
        return marked
    margins = [
        min(operation.margin, (room - part) // 2)
        for room, part in zip(image.size, mark.size, strict=True)
    ]
    inner = (image.width - 2 * margins[0], image.height - 2 * margins[1])
    left, top = placed(inner, mark.size, words.Gravity(operation.gravity))
    at = (margins[0] + int(left), margins[1] + int(top))
    _lay_blended(marked, mark, at, operation.blend)
    return marked


def _lay_blended(
    image: Image.Image, layer: Image.Image, at: tuple[int, int], blend: words.Blend
) -> None:
    """Lay RGBA over an image of one's own, its colours first mixed with those under it."""
    if mix := _BLENDS.get(blend):
        _mix(image, layer, at, mix)
    lay(image, layer, at)


def _mix(image: Image.Image, layer: Image.Image, at: tuple[int, int], mix: _Mix) -> None:
    for top, bottom in strips(layer.size):
        box = (at[0], at[1] + top, at[0] + layer.width, at[1] + bottom)
        strip = layer.crop((0, top, layer.width, bottom))
        colours = mix(image.crop(box).convert("RGB"), strip.convert("RGB"))
        colours.putalpha(strip.getchannel("A"))
        layer.paste(colours, (0, top))


def _tiled(mark: Image.Image, size: tuple[int, int], gap: int) -> Image.Image:
    """A layer full of marks. It is doubled until it is full: the smallest mark takes no longer."""
    layer = Image.new("RGBA", size)
    layer.paste(mark)
    across, down = mark.width + gap, mark.height + gap
    while across < size[0]:
        layer.paste(layer.crop((0, 0, across, mark.height)), (across, 0))
        across *= 2
    while down < size[1]:
        layer.paste(layer.crop((0, 0, size[0], down)), (0, down))
        down *= 2
    return layer


def _dimmed(alpha: Image.Image, opacity: float) -> Image.Image:
    return alpha.point([round(level * opacity) for level in range(256)])
