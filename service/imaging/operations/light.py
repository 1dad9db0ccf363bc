"""The pixels of what changes each colour by itself; RGB stays RGB and RGBA RGBA.

Lookup tables and matrices: Pillow runs them without the interpreter's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import cos, radians, sin

from PIL import Image, ImageOps, ImageStat

from service.imaging import words
from service.imaging.operations.alpha import filled, mixed, on_colours, rgba

#: Weights of red, green and blue in the light of a picture (ITU-R BT.601, as Pillow's own).
_LUMA = (0.299, 0.587, 0.114)
#: The customary sepia matrix, as in the Filter Effects draft of the W3C, section 7.3 (sepia).
_SEPIA = ((0.393, 0.769, 0.189), (0.349, 0.686, 0.168), (0.272, 0.534, 0.131))
#: The same draft, section 9.6 (hueRotate): what stays, what goes with the cosine, with the sine.
_HUE = ((0.213, 0.715, 0.072),) * 3
_HUE_COS = ((0.787, -0.715, -0.072), (-0.213, 0.285, -0.072), (-0.213, -0.715, 0.928))
_HUE_SIN = ((-0.213, -0.715, 0.928), (0.143, 0.140, -0.283), (-0.787, 0.715, 0.072))

_Matrix = Sequence[Sequence[float]]


def brightness(image: Image.Image, operation: words.Brightness) -> Image.Image:
    """Every level times `factor`, cut off at 255."""
    return _by_level(image, lambda level: level * operation.factor)


def contrast(image: Image.Image, operation: words.Contrast) -> Image.Image:
    """Every level's distance from the mean luma times `factor`; unseen pixels do not count."""
    mean = _mean_luma(image)
    return _by_level(image, lambda level: mean + (level - mean) * operation.factor)


def gamma(image: Image.Image, operation: words.Gamma) -> Image.Image:
    """Every level, as a share of 255, to the power of 1 / `gamma`."""
    return _by_level(image, lambda level: 255 * (level / 255) ** (1 / operation.gamma))


def invert(image: Image.Image, _operation: words.Invert) -> Image.Image:
    """255 less every level."""
    return _by_level(image, lambda level: 255 - level)


def posterize(image: Image.Image, operation: words.Posterize) -> Image.Image:
    """2^`bits` levels a channel, evenly spread from black to white."""
    steps = 2**operation.bits
    return _by_level(image, lambda level: int(level * steps / 256) * 255 / (steps - 1))


def solarize(image: Image.Image, operation: words.Solarize) -> Image.Image:
    """Levels above `threshold` become 255 less themselves."""
    return _by_level(image, lambda level: level if level <= operation.threshold else 255 - level)


def rgb(image: Image.Image, operation: words.Rgb) -> Image.Image:
    """Each channel times its own factor, cut off at 255."""
    factors = (operation.red, operation.green, operation.blue)
    table = [_cut(level * factor) for factor in factors for level in range(256)]
    return on_colours(image, lambda colours: colours.point(table))


def saturation(image: Image.Image, operation: words.Saturation) -> Image.Image:
    """Every colour's distance from its own gray times `factor`."""
    return _by_matrix(image, (_LUMA,) * 3, 1 - operation.factor)


def sepia(image: Image.Image, operation: words.Sepia) -> Image.Image:
    """The customary sepia tint, mixed with the picture by `strength`."""
    return _by_matrix(image, _SEPIA, operation.strength)


def hue(image: Image.Image, operation: words.Hue) -> Image.Image:
    """Colours turned by `angle` degrees about gray. Source: W3C Filter Effects, hueRotate."""
    turn = (cos(radians(operation.angle)), sin(radians(operation.angle)))
    matrix = [
        [stays + turn[0] * even + turn[1] * odd for stays, even, odd in zip(*rows, strict=True)]
        for rows in zip(_HUE, _HUE_COS, _HUE_SIN, strict=True)
    ]
    return _by_matrix(image, matrix, 1.0)


def grayscale(image: Image.Image, _operation: words.Grayscale) -> Image.Image:
    """Three equal channels: the luma. Source: ITU-R BT.601."""
    return on_colours(image, lambda colours: colours.convert("L").convert("RGB"))


def duotone(image: Image.Image, operation: words.Duotone) -> Image.Image:
    """The luma, from `dark` for 0 to `light` for 255, mixed with the picture by `strength`."""
    ends = zip(rgba(operation.dark)[:3], rgba(operation.light)[:3], strict=True)
    table = [_cut(dark + (light - dark) * n / 255) for dark, light in ends for n in range(256)]

    def change(colours: Image.Image) -> Image.Image:
        toned = colours.convert("L").convert("RGB").point(table)
        return mixed(toned, colours, operation.strength)

    return on_colours(image, change)


def colorize(image: Image.Image, operation: words.Colorize) -> Image.Image:
    """`opacity` of the colour, times its own, and the rest of the picture; the alpha stays."""
    share = operation.opacity * rgba(operation.color)[3] / 255

    def change(colours: Image.Image) -> Image.Image:
        return mixed(filled("RGB", colours.size, operation.color), colours, share)

    return on_colours(image, change)


def auto_contrast(image: Image.Image, operation: words.AutoContrast) -> Image.Image:
    """The luma's range, less `cutoff` percent of the pixels at each end, stretched to 0 to 255."""
    mask, cutoff = _seen(image), (operation.cutoff, operation.cutoff)

    def change(colours: Image.Image) -> Image.Image:
        return ImageOps.autocontrast(colours, cutoff, mask=mask, preserve_tone=True)

    return on_colours(image, change)


def equalize(image: Image.Image, _operation: words.Equalize) -> Image.Image:
    """The luma's histogram made flat in YCbCr (ITU-R BT.601); unseen pixels do not count."""
    mask = _seen(image)

    def change(colours: Image.Image) -> Image.Image:
        luma, blue, red = colours.convert("YCbCr").split()
        flat = ImageOps.equalize(luma, mask)
        return Image.merge("YCbCr", (flat, blue, red)).convert("RGB")

    return on_colours(image, change)


def _by_level(image: Image.Image, change: Callable[[int], float]) -> Image.Image:
    table = [_cut(change(level)) for level in range(256)]
    return on_colours(image, lambda colours: colours.point(table * 3))


def _cut(level: float) -> int:
    return min(255, max(0, round(level)))


def _by_matrix(image: Image.Image, matrix: _Matrix, share: float) -> Image.Image:
    """`share` of the picture through a 3 × 3 matrix, and the rest of it as it was."""
    rows = (
        (*(share * weight + (1 - share) * (row == column) for column, weight in enumerate(of)), 0.0)
        for row, of in enumerate(matrix)
    )
    weights = tuple(value for row in rows for value in row)
    return on_colours(image, lambda colours: colours.convert("RGB", weights))


def _seen(image: Image.Image) -> Image.Image | None:
    return image.getchannel("A") if image.mode == "RGBA" else None


def _mean_luma(image: Image.Image) -> float:
    seen = ImageStat.Stat(image.convert("RGB").convert("L"), _seen(image))
    return float(seen.mean[0]) if seen.count[0] else 128.0
