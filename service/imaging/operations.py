"""The pixels of every operation: an image in, a new image out, RGB stays RGB and RGBA RGBA.

Alpha is scaled with the picture and otherwise never changed. The filters are chosen for running
without the GIL (lookup tables, matrices, Pillow's compiled kernels), so that threads scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from PIL import Image, ImageColor, ImageFilter, ImageStat

from service.imaging import presets
from service.imaging.geometry import Placement, place
from service.imaging.resample import resample

#: Weights of red, green and blue in the light of a picture (ITU-R BT.601, as Pillow's own).
_LUMA = (0.299, 0.587, 0.114)
#: The customary sepia matrix, as in the Filter Effects draft of the W3C, section 7.3 (sepia).
_SEPIA = ((0.393, 0.769, 0.189), (0.349, 0.686, 0.168), (0.272, 0.534, 0.131))

_Matrix = tuple[tuple[float, float, float], ...]


def resize(image: Image.Image, operation: presets.Resize) -> Image.Image:
    """Any size → the size `geometry.place` works out; RGBA where the padding lets through."""
    placement = place(image.size, operation)
    return pad(resample(image, placement.scaled, placement.box), placement, operation)


def pad(image: Image.Image, placement: Placement, operation: presets.Resize) -> Image.Image:
    """Put an image already scaled into the middle of `contain`'s padding; others pass through.

    The background fills the padding only: the picture's own transparent parts stay so.
    """
    if not placement.padded:
        return image
    background = (*ImageColor.getrgb(operation.background), 255)
    mode = "RGBA" if opens(operation) else image.mode
    canvas = Image.new(mode, placement.size, background[: len(mode)])
    canvas.paste(image.convert(mode), placement.offset)
    return canvas


def opens(operation: presets.Operation) -> bool:
    """Whether this operation can make an opaque picture transparent."""
    if not isinstance(operation, presets.Resize) or operation.fit != presets.Fit.CONTAIN:
        return False
    both = operation.width is not None and operation.height is not None
    return both and len(operation.background) == 9 and operation.background[7:].lower() != "ff"


def grayscale(image: Image.Image, _operation: presets.Grayscale) -> Image.Image:
    """Three equal channels: the luma. Source: ITU-R BT.601."""
    return _on_colours(image, lambda colours: colours.convert("L").convert("RGB"))


def blur(image: Image.Image, operation: presets.Blur) -> Image.Image:
    """Gaussian of standard deviation `radius` pixels, by three box blurs.

    Source: Gwosdek et al., "Theoretical foundations of Gaussian convolution by extended box
    filtering", 2011 (Pillow's GaussianBlur).
    """
    return _on_visible(image, ImageFilter.GaussianBlur(operation.radius))


def sharpen(image: Image.Image, operation: presets.Sharpen) -> Image.Image:
    """Unsharp mask: `amount` percent of what a blur of `radius` pixels takes away is added."""
    return _on_visible(
        image, ImageFilter.UnsharpMask(operation.radius, operation.amount, operation.threshold)
    )


def brightness(image: Image.Image, operation: presets.Brightness) -> Image.Image:
    """Every level times `factor`, cut off at 255."""
    return _on_colours(image, lambda colours: _levels(colours, 0.0, operation.factor))


def contrast(image: Image.Image, operation: presets.Contrast) -> Image.Image:
    """Every level's distance from the mean luma times `factor`; unseen pixels do not count."""
    mean = _mean_luma(image)
    return _on_colours(image, lambda colours: _levels(colours, mean, operation.factor))


def saturation(image: Image.Image, operation: presets.Saturation) -> Image.Image:
    """Every colour's distance from its own gray times `factor`."""
    return _on_colours(image, lambda colours: _mixed(colours, (_LUMA,) * 3, 1 - operation.factor))


def sepia(image: Image.Image, operation: presets.Sepia) -> Image.Image:
    """The customary sepia tint, mixed with the picture by `strength`."""
    return _on_colours(image, lambda colours: _mixed(colours, _SEPIA, operation.strength))


#: Every operation a recipe can name; a test compares the names with `presets.Operation`.
OPERATIONS: Mapping[str, Callable[[Image.Image, Any], Image.Image]] = MappingProxyType(
    {
        "resize": resize,
        "grayscale": grayscale,
        "blur": blur,
        "sharpen": sharpen,
        "brightness": brightness,
        "contrast": contrast,
        "saturation": saturation,
        "sepia": sepia,
    }
)


def apply(image: Image.Image, operation: presets.Operation) -> Image.Image:
    """Carry one operation out."""
    return OPERATIONS[operation.op](image, operation)


def _on_colours(image: Image.Image, change: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Change the colours pixel by pixel and put the alpha back as it was."""
    if image.mode == "RGB":
        return change(image)
    changed = change(image.convert("RGB"))
    changed.putalpha(image.getchannel("A"))
    return changed


def _on_visible(image: Image.Image, kernel: ImageFilter.MultibandFilter) -> Image.Image:
    """Filter across pixels, each counting as much as it is seen; the alpha stays as it was."""
    if image.mode == "RGB":
        return image.filter(kernel)
    filtered = image.convert("RGBa").filter(kernel).convert("RGBA")
    filtered.putalpha(image.getchannel("A"))
    return filtered


def _levels(image: Image.Image, pivot: float, factor: float) -> Image.Image:
    table = [min(255, max(0, round(pivot + (level - pivot) * factor))) for level in range(256)]
    return image.point(table * 3)


def _mean_luma(image: Image.Image) -> float:
    mask = image.getchannel("A") if image.mode == "RGBA" else None
    seen = ImageStat.Stat(image.convert("RGB").convert("L"), mask)
    return float(seen.mean[0]) if seen.count[0] else 128.0


def _mixed(image: Image.Image, matrix: _Matrix, share: float) -> Image.Image:
    """`share` of the picture through a 3 × 3 matrix, and the rest of it as it was."""
    rows = (
        (*(share * weight + (1 - share) * (row == column) for column, weight in enumerate(of)), 0.0)
        for row, of in enumerate(matrix)
    )
    return image.convert("RGB", tuple(value for row in rows for value in row))
