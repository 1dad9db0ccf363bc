"""Any picture Pillow can decode → 8-bit sRGB, as RGB or RGBA.

In two steps, because the costly one is better done on fewer pixels: `prepare` before resampling,
for what cannot be averaged (palette indices, bits, 16-bit samples), and `to_srgb` after it, for
what can (CMYK, ICC colours, gray).
"""

from __future__ import annotations

from functools import cache, lru_cache
from io import BytesIO
from itertools import chain, product
from math import isfinite

from PIL import Image, ImageChops, ImageCms

#: Modes that `resample` takes without loss.
_READY = frozenset({"L", "RGB", "RGBA", "CMYK"})
_SIXTEEN_BIT = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
#: A profile larger than this is ignored; press profiles have 3 MB at most.
_MAX_PROFILE_BYTES = 4 << 20
#: Those of sRGB have 3 kB, or 60 with tables; few are remembered, so they must be small.
_SRGB_BYTES = 1 << 16
#: Levels by which sRGB profiles of different makers differ.
_UNSEEN = 2
_SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK"}


def prepare(image: Image.Image) -> Image.Image:
    """A decoded picture of any mode → L, RGB, RGBA or CMYK, of the same size and colours.

    Raises:
        ValueError: samples that are not numbers.
    """
    if image.has_transparency_data and image.mode != "RGBA":
        return _transparent(image)
    if image.mode in _READY:
        return image
    if image.mode in _SIXTEEN_BIT:
        return image.convert("I").point(_from_sixteen_bits(), "L")
    if image.mode in {"I", "F"}:
        return _from_numbers(image)
    if image.mode == "LAB":
        return _from_lab(image)
    return image.convert("L" if image.mode == "1" else "RGB")


def _transparent(image: Image.Image) -> Image.Image:
    if image.mode not in _SIXTEEN_BIT:
        return image.convert("RGBA")
    clear, wide = image.info["transparency"], image.convert("I")
    gray = wide.point(_from_sixteen_bits(), "L").convert("RGBA")
    gray.putalpha(wide.point([0 if level == clear else 255 for level in range(1 << 16)], "L"))
    return gray


@cache
def _from_sixteen_bits() -> tuple[int, ...]:
    """The nearest 8-bit level of each 16-bit one."""
    return tuple((level * 255 + 32_767) // 65_535 for level in range(1 << 16))


def _from_numbers(image: Image.Image) -> Image.Image:
    """I or F → L. The file does not say what its white is: the least usual white that holds all.

    1.0 (F only), 255 or 65,535; with numbers beyond those or below 0, the range found.
    """
    low, high = (float(level) for level in image.getextrema())  # type: ignore[arg-type]
    if not (isfinite(low) and isfinite(high)):
        raise ValueError("The picture's samples are not numbers")
    whites = (1.0, 255.0, 65_535.0) if image.mode == "F" else (255.0, 65_535.0)
    white = next((white for white in whites if high <= white), None)
    if white is None or low < 0:
        black, white = low, max(high, low + 1.0)
    else:
        black = 0.0
    scale = 255.0 / (white - black)
    levels = image.convert("F").point(lambda level: level * scale + (0.5 - black * scale))
    return levels.convert("L")


def _from_lab(image: Image.Image) -> Image.Image:
    return _transformed(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """L, RGB, RGBA or CMYK, tagged with an ICC profile or not → RGB or RGBA in sRGB.

    Untagged colours are taken for sRGB, untagged CMYK is converted plainly. So is a picture
    whose profile is broken or meant for another kind of picture: it is shown, not refused.
    Source: ICC.1:2022; IEC 61966-2-1 (sRGB).
    """
    if profile and len(profile) <= _MAX_PROFILE_BYTES:
        try:
            return _by_profile(image, profile)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return image if image.mode in {"RGB", "RGBA"} else image.convert("RGB")


def _by_profile(image: Image.Image, data: bytes) -> Image.Image:
    profile = ImageCms.ImageCmsProfile(BytesIO(data))
    if profile.profile.xcolor_space == "RGB " and len(data) <= _SRGB_BYTES and _is_srgb(data):
        return image if image.mode in {"RGB", "RGBA"} else image.convert("RGB")
    colours = image.convert("RGB") if image.mode == "RGBA" else image
    if profile.profile.xcolor_space == "GRAY" and colours.mode == "RGB":
        colours = colours.getchannel("G")
    if profile.profile.xcolor_space != _SPACES[colours.mode]:
        raise ValueError("The profile is meant for another kind of picture")
    converted = _transformed(colours, profile)
    if image.mode == "RGBA":
        converted.putalpha(image.getchannel("A"))
    return converted


@lru_cache(maxsize=16)
def _is_srgb(data: bytes) -> bool:
    """Whether a profile leaves sRGB as it is; what it is called does not say (linear ones)."""
    levels = range(0, 256, 51)
    samples = Image.frombytes("RGB", (216, 1), bytes(chain(*product(levels, repeat=3))))
    seen = _transformed(samples, ImageCms.ImageCmsProfile(BytesIO(data)))
    return max(ImageChops.difference(seen, samples).tobytes()) <= _UNSEEN


def _transformed(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """`image` seen through `profile`, in sRGB; a white stays white (relative colorimetric)."""
    transform = ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        image.mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    converted = transform.apply(image)
    converted.info = {}
    return converted
