"""The pixels of what changes a picture's size or turns it; RGB or RGBA in, RGBA where it opens."""

from __future__ import annotations

from math import cos, radians, sin

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from service.imaging import words
from service.imaging.geometry import Placement, margins, place, turned
from service.imaging.operations.alpha import blended, filled, lay, rgba
from service.imaging.operations.padding import framed
from service.imaging.operations.smart import smart_box
from service.imaging.resample import resample
from service.imaging.window import cut_out, is_smart, part_of

_QUARTERS = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
#: Corners are drawn this many times larger and averaged, but on no more than so many pixels.
_SMOOTH, _CORNER_PX = 4, 2_048


def resize(image: Image.Image, operation: words.Resize) -> Image.Image:
    """Any size → the size `geometry.place` works out; RGBA where the padding lets through."""
    placement = place(image.size, operation)
    return fitted(resample(image, placement.scaled, placement.box), placement, operation)


def fitted(image: Image.Image, placement: Placement, operation: words.Resize) -> Image.Image:
    """What is left of a resize once the image is scaled: `contain`'s padding, a smart cut."""
    if placement.padded:
        return framed(image, placement.size, placement.offset, operation.background)
    if placement.cut:
        return image.crop(smart_box(image, placement.size))
    return image


def crop(image: Image.Image, operation: words.Crop) -> Image.Image:
    """Any size → the size `window.part_of` works out."""
    if is_smart(operation):
        return image.crop(smart_box(image, part_of(image.size, operation)))
    return image.crop(cut_out(image.size, operation))


def trim(image: Image.Image, operation: words.Trim) -> Image.Image:
    """The box of all that differs from the edge by more than `threshold` levels of 255.

    What cannot be seen is alike, whatever its colour. A picture of one colour stays as it is.
    """
    seen = image.convert("RGBa") if image.mode == "RGBA" else image
    edge = filled("RGBA", (1, 1), operation.color).convert(seen.mode) if operation.color else seen
    even = Image.new(seen.mode, seen.size, edge.getpixel((0, 0)))
    apart = ImageChops.difference(seen, even)
    table = [255 if level > operation.threshold else 0 for level in range(256)]
    box = apart.point(table * len(seen.getbands())).getbbox(alpha_only=False)
    return image.crop(box) if box else image.copy()


def pad(image: Image.Image, operation: words.Pad) -> Image.Image:
    """The picture with so many pixels of room at each edge."""
    room = margins(operation)
    return framed(image, room.around(image.size), (room.left, room.top), operation.background)


def border(image: Image.Image, operation: words.Border) -> Image.Image:
    """The picture in a frame of `width` pixels."""
    room = margins(operation)
    return framed(image, room.around(image.size), (room.left, room.top), operation.color)


def rotate(image: Image.Image, operation: words.Rotate) -> Image.Image:
    """Clockwise by `angle` degrees, bicubic, the size as `geometry.turned` says.

    The corners of an opaque picture get the background; those of another are transparent.
    """
    if operation.angle % 90 == 0:
        quarter = _QUARTERS.get(round(operation.angle) % 360)
        return image.copy() if quarter is None else image.transpose(quarter)
    leaning = lean(image, operation.angle)
    if image.mode == "RGBA" or rgba(operation.background)[3] == 0:
        return leaning
    mode = "RGBA" if words.is_clear(operation.background) else "RGB"
    canvas = filled(mode, leaning.size, operation.background)
    lay(canvas, leaning)
    return canvas


def lean(image: Image.Image, angle: float) -> Image.Image:
    """An image turned clockwise by any angle → RGBA, its edges smooth, its corners transparent."""
    size = turned(image.size, angle)
    # A transparent pixel all around: the filter would otherwise stop dead at the edge.
    room = Image.new("RGBA", (image.width + 2, image.height + 2))
    room.paste(image, (1, 1))
    across, down = cos(radians(angle)), sin(radians(angle))
    middle, target = (room.width / 2, room.height / 2), (size[0] / 2, size[1] / 2)
    matrix = (
        across,
        down,
        middle[0] - across * target[0] - down * target[1],
        -down,
        across,
        middle[1] + down * target[0] - across * target[1],
    )
    affine, bicubic = Image.Transform.AFFINE, Image.Resampling.BICUBIC
    return room.convert("RGBa").transform(size, affine, matrix, bicubic).convert("RGBA")


def flip(image: Image.Image, _operation: words.Flip) -> Image.Image:
    """Top and bottom exchanged."""
    return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)


def flop(image: Image.Image, _operation: words.Flop) -> Image.Image:
    """Left and right exchanged."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def shadow(image: Image.Image, operation: words.Shadow) -> Image.Image:
    """The picture before its own outline, blurred and moved; room as `geometry.margins` says."""
    room = margins(operation)
    size = room.around(image.size)
    outline = image.getchannel("A") if image.mode == "RGBA" else Image.new("L", image.size, 255)
    cast = Image.new("L", size)
    cast.paste(outline, (room.left + operation.x, room.top + operation.y))
    shade = rgba(operation.color)
    cast = cast.filter(ImageFilter.GaussianBlur(operation.blur))
    cast = cast.point([round(level * shade[3] / 255) for level in range(256)])
    opaque = not words.is_clear(operation.background)
    canvas = filled("RGB" if opaque else "RGBA", size, operation.background)
    canvas = blended(filled("RGB", size, operation.color), canvas, cast)
    lay(canvas, image.convert("RGBA"), (room.left, room.top))
    return canvas


def round_corners(image: Image.Image, operation: words.RoundCorners) -> Image.Image:
    """Quarters of circles cut off; RGBA where the background lets through."""
    half = min(image.size) // 2
    share = operation.share if operation.share is not None else 1.0
    radius = min(operation.radius or round(half * share), half)
    if not radius:
        return image.copy()
    mode = "RGBA" if words.is_clear(operation.background) else image.mode
    canvas = filled(mode, image.size, operation.background)
    return blended(image, canvas, _rounded(image.size, radius))


def _rounded(size: tuple[int, int], radius: int) -> Image.Image:
    """A mask of `size`, white but for its corners."""
    larger = radius * max(1, min(_SMOOTH, _CORNER_PX // radius))
    corner = Image.new("L", (larger, larger))
    ImageDraw.Draw(corner).ellipse((0, 0, 2 * larger - 1, 2 * larger - 1), fill=255)
    corner = corner.resize((radius, radius), Image.Resampling.BOX)
    mask = Image.new("L", size, 255)
    right, bottom = size[0] - radius, size[1] - radius
    mask.paste(corner, (0, 0))
    mask.paste(corner.transpose(_QUARTERS[90]), (right, 0))
    mask.paste(corner.transpose(_QUARTERS[180]), (right, bottom))
    mask.paste(corner.transpose(_QUARTERS[270]), (0, bottom))
    return mask
