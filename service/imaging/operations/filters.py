"""The pixels of what looks at a pixel's neighbours; RGB stays RGB, RGBA keeps its alpha."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageFilter

from service.imaging import words
from service.imaging.operations.alpha import filled, on_black, on_colours, on_visible, strips

LAPLACIAN = (-1, -1, -1, -1, 8, -1, -1, -1, -1)
_EMBOSS = (-1, 0, 0, 0, 1, 0, 0, 0, 0)
#: Exchanges that bring the median of nine to place 4.
#: Source: Smith, "Implementing median filters in XC4000E FPGAs", 1996; Devillard, 1998.
_MEDIAN_OF_NINE = (
    *((1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3)),
    *((5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2)),
)


def blur(image: Image.Image, operation: words.Blur) -> Image.Image:
    """Gaussian of standard deviation `radius` pixels, by three box blurs: as fast for any radius.

    Source: Gwosdek et al., "Theoretical foundations of Gaussian convolution by extended box
    filtering", 2011 (Pillow's GaussianBlur).
    """
    kernel = ImageFilter.GaussianBlur(operation.radius)
    return on_visible(image, lambda seen: seen.filter(kernel))


def sharpen(image: Image.Image, operation: words.Sharpen) -> Image.Image:
    """Unsharp mask: `amount` percent of what a blur of `radius` pixels takes away is added."""
    mask = ImageFilter.UnsharpMask(operation.radius, operation.amount, operation.threshold)
    return on_visible(image, lambda seen: seen.filter(mask))


def pixelate(image: Image.Image, operation: words.Pixelate) -> Image.Image:
    """The mean of each square of `size` pixels, from the top left; the last ones may be cut."""

    def change(seen: Image.Image) -> Image.Image:
        side = operation.size
        squares = seen.reduce(side)
        size = (squares.width * side, squares.height * side)
        return squares.resize(size, Image.Resampling.NEAREST).crop((0, 0, *seen.size))

    return on_visible(image, change)


def denoise(image: Image.Image, operation: words.Denoise) -> Image.Image:
    """The median of each level's square of 3 × 3, `passes` times; edges are repeated outwards.

    By least and greatest of whole pictures: Pillow's own median is a quarter as fast and keeps
    the interpreter's lock throughout.
    """
    for _ in range(operation.passes):
        image = on_visible(image, _median_of_nine)
    return image


def edge(image: Image.Image, _operation: words.Edge) -> Image.Image:
    """Eight times each level less its eight neighbours', on black. Source: discrete Laplacian."""
    return on_black(image, lambda seen: convolved(seen, LAPLACIAN, 1, 0))


def emboss(image: Image.Image, _operation: words.Emboss) -> Image.Image:
    """Each level less its upper left neighbour's, on gray."""
    return on_black(image, lambda seen: convolved(seen, _EMBOSS, 1, 128))


def convolve(image: Image.Image, operation: words.Convolve) -> Image.Image:
    """The weighted sum of each square, divided, and moved by `offset`; on black."""
    divisor = operation.divisor or sum(operation.kernel) or 1
    weights, offset = operation.kernel, operation.offset
    return on_black(image, lambda seen: convolved(seen, weights, divisor, offset))


def vignette(image: Image.Image, operation: words.Vignette) -> Image.Image:
    """`strength` of the colour in the corners, less by the square of the distance inwards."""
    fall = [round(255 * operation.strength * (level / 255) ** 2) for level in range(256)]
    mask = Image.radial_gradient("L").point(fall).resize(image.size, Image.Resampling.BILINEAR)

    def change(colours: Image.Image) -> Image.Image:
        dark = filled("RGB", colours.size, operation.color)
        return Image.composite(dark, colours, mask)

    return on_colours(image, change)


def convolved(
    image: Image.Image, kernel: tuple[float, ...], divisor: float, offset: float
) -> Image.Image:
    """The weighted sums, lines from the top; the outermost pixels are repeated outwards."""
    side = 3 if len(kernel) == 9 else 5
    room = _repeated(image, side // 2)
    # Pillow takes the lines of a kernel from the bottom.
    lines = [kernel[at : at + side] for at in range(len(kernel) - side, -1, -side)]
    weights = [weight for line in lines for weight in line]
    filtered = room.filter(ImageFilter.Kernel((side, side), weights, divisor, offset))
    return filtered.crop((side // 2, side // 2, side // 2 + image.width, side // 2 + image.height))


def _median_of_nine(image: Image.Image) -> Image.Image:
    room, median = _repeated(image, 1), Image.new(image.mode, image.size)
    for top, bottom in strips(image.size):
        nine = [
            room.crop((x, top + y, x + image.width, bottom + y)) for y in range(3) for x in range(3)
        ]
        for low, high in _MEDIAN_OF_NINE:
            nine[low], nine[high] = (
                ImageChops.darker(nine[low], nine[high]),
                ImageChops.lighter(nine[low], nine[high]),
            )
        median.paste(nine[4], (0, top))
    return median


def _repeated(image: Image.Image, margin: int) -> Image.Image:
    """The image with its outermost pixels repeated outwards: a filter's neighbours at the edge."""
    width, height = image.size
    room = Image.new(image.mode, (width + 2 * margin, height + 2 * margin))
    room.paste(image, (margin, margin))
    for step in range(margin, 0, -1):
        for edge, at in ((step, step - 1), (room.width - step - 1, room.width - step)):
            room.paste(room.crop((edge, 0, edge + 1, room.height)), (at, 0))
    for step in range(margin, 0, -1):
        for edge, at in ((step, step - 1), (room.height - step - 1, room.height - step)):
            room.paste(room.crop((0, edge, room.width, edge + 1)), (0, at))
    return room
