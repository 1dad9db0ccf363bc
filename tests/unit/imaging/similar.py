"""How far two pictures are apart."""

from __future__ import annotations

import io

from PIL import Image, ImageChops, ImageStat

from service.imaging import Rendered


def shown(rendered: Rendered) -> Image.Image:
    """A variant as any viewer opens it."""
    image = Image.open(io.BytesIO(rendered.data))
    image.load()
    return image


def difference(one: Image.Image, other: Image.Image, mode: str = "RGB") -> float:
    """The mean absolute difference in levels of 255; the sizes must agree."""
    assert one.size == other.size
    apart = ImageChops.difference(one.convert(mode), other.convert(mode))
    means = ImageStat.Stat(apart).mean
    return sum(means) / len(means)


def furthest(one: Image.Image, other: Image.Image, mode: str = "RGB") -> int:
    """The largest difference of any sample."""
    assert one.size == other.size
    apart = ImageChops.difference(one.convert(mode), other.convert(mode))
    return max(apart.tobytes())
