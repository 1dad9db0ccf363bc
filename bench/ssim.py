"""Structural similarity of two grey pictures: Wang's SSIM with a flat 7 × 7 window.

The same constants and sample covariance as scikit-image's default, so figures can be compared.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Plane: TypeAlias = npt.NDArray[np.float64]

WINDOW = 7
PIXELS = WINDOW * WINDOW
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """1 for equal pictures, less for others; the mean over all whole windows."""
    x, y = np.asarray(one, np.float64), np.asarray(other, np.float64)
    mean_x, mean_y = _means(x), _means(y)
    sample = PIXELS / (PIXELS - 1)
    var_x = sample * (_means(x * x) - mean_x * mean_x)
    var_y = sample * (_means(y * y) - mean_y * mean_y)
    covariance = sample * (_means(x * y) - mean_x * mean_y)
    above = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    below = (mean_x**2 + mean_y**2 + C1) * (var_x + var_y + C2)
    return float(np.mean(above / below))


def _means(plane: Plane) -> Plane:
    """The mean of every window, from running sums: each window is four corners of one table."""
    sums = np.pad(plane, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    w = WINDOW
    windows: Plane = sums[w:, w:] - sums[:-w, w:] - sums[w:, :-w] + sums[:-w, :-w]
    return windows / PIXELS
