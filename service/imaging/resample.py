"""The one place where pixels change size: Lanczos with three lobes, alpha weighed in.

cykooz-resizer does it about seven times faster than Pillow, over Pillow's own images and
without the GIL; where it has no wheel (Linux arm64) or lacks a mode, Pillow's resize is used.
A test holds the two together.
"""

from __future__ import annotations

from math import ceil, floor

from PIL import Image

from service.imaging.window import Box, Size, whole

try:
    from cykooz_resizer import CropBox, FilterType, ResizeAlg, ResizeOptions, Resizer
except ImportError:  # pragma: no cover - depends on the platform
    FAST_MODES: frozenset[str] = frozenset()
else:
    FAST_MODES = frozenset({"L", "RGB", "RGBA", "CMYK"})


def resample(image: Image.Image, size: Size, box: Box | None = None) -> Image.Image:
    """Scale `box` of an image (all of it by default) to `size`; a new image without metadata.

    L, RGB, RGBA or CMYK → the same mode. Colours are weighted by alpha, so that what lies
    under transparent pixels does not bleed. `size` is in pixels, at least 1 × 1.
    Source: Duchon, "Lanczos filtering in one and two dimensions", 1979.
    """
    box = box or whole(image.size)
    if image.size == size and box == whole(size):
        return _bare(image)
    if _grows_and_shrinks(size, box):
        image, box = _shrunk(image, size, box)
    return _scaled(image, size, box)


def _grows_and_shrinks(size: Size, box: Box) -> bool:
    """Whether one side of `box` is to become longer and the other one shorter."""
    across, down = size[0] - (box[2] - box[0]), size[1] - (box[3] - box[1])
    return across * down < -1  # a fraction of a pixel is rounding


def _shrunk(image: Image.Image, size: Size, box: Box) -> tuple[Image.Image, Box]:
    """The side that shrinks, before the other one grows; and where the box lies then.

    In the other order what lies between the two passes may be thousands of times the picture.
    """
    left, top, right, bottom = box
    if size[0] < right - left:
        first, last = floor(top), ceil(bottom)
        narrow = _scaled(image, (size[0], last - first), (left, first, right, last))
        return narrow, (0.0, top - first, float(size[0]), bottom - first)
    first, last = floor(left), ceil(right)
    low = _scaled(image, (last - first, size[1]), (first, top, last, bottom))
    return low, (left - first, 0.0, right - first, float(size[1]))


def _scaled(image: Image.Image, size: Size, box: Box) -> Image.Image:
    return (_fast if image.mode in FAST_MODES else by_pillow)(image, size, box)


def by_pillow(image: Image.Image, size: Size, box: Box) -> Image.Image:
    """The same with Pillow's own resize, which premultiplies alpha itself."""
    return _bare(image.resize(size, Image.Resampling.LANCZOS, box))


def _fast(image: Image.Image, size: Size, box: Box) -> Image.Image:
    left, top, right, bottom = box
    options = ResizeOptions(
        resize_alg=ResizeAlg.convolution(FilterType.lanczos3),
        crop_box=CropBox(left, top, right - left, bottom - top),
    )
    # Every pixel is written, so the new image need not be cleared first.
    scaled = Image.new(image.mode, size, None)
    Resizer().resize_pil(image, scaled, options)
    return scaled


def _bare(image: Image.Image) -> Image.Image:
    bare = image.copy()
    bare.info = {}
    return bare
