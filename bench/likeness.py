"""How like a variant is to its photo: SSIM of the luma, against the photo scaled from full size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from bench.ssim import ssim


def in_full(photo: Path) -> Image.Image:
    """Every pixel of a photo, upright."""
    with Image.open(photo) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


def scaled(photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The luma of a photo at a size, by Pillow's Lanczos."""
    return photo.resize(size, Image.Resampling.LANCZOS).convert("L")


def likeness(variant: Image.Image, reference: Image.Image) -> float:
    """SSIM of a variant's luma with that of `scaled`."""
    return ssim(np.asarray(reference), np.asarray(variant.convert("RGB").convert("L")))
