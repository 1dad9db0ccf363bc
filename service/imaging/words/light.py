"""Operations that change the colour of each pixel by itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from service.imaging.words.base import Closed, Colour, Factor, Opaque, Share, Strength


class Brightness(Closed):
    """Multiply the light: 0 is black."""

    op: Literal["brightness"] = "brightness"
    factor: Factor


class Contrast(Closed):
    """Spread the levels about the picture's mean: 0 is an even gray."""

    op: Literal["contrast"] = "contrast"
    factor: Factor


class Saturation(Closed):
    """Strengthen or weaken the colours: 0 is grayscale."""

    op: Literal["saturation"] = "saturation"
    factor: Factor


class Gamma(Closed):
    """Brighten or darken the middle, and leave black and white."""

    op: Literal["gamma"] = "gamma"
    gamma: float = Field(ge=0.1, le=10, description="Above 1 is brighter.")


class Hue(Closed):
    """Turn the colours round the circle of hues."""

    op: Literal["hue"] = "hue"
    angle: float = Field(ge=-360, le=360, description="In degrees.")


class Rgb(Closed):
    """Strengthen or weaken red, green and blue, each by itself."""

    op: Literal["rgb"] = "rgb"
    red: Factor = 1
    green: Factor = 1
    blue: Factor = 1


class Grayscale(Closed):
    """Take the colour out."""

    op: Literal["grayscale"] = "grayscale"


class Sepia(Closed):
    """Tint like an old photograph."""

    op: Literal["sepia"] = "sepia"
    strength: Strength = 1.0


class Duotone(Closed):
    """Two colours in place of all: one for the shadows, one for the lights."""

    op: Literal["duotone"] = "duotone"
    dark: Opaque = Field(default="#1b1464", description="In place of black.")
    light: Opaque = Field(default="#f8e16c", description="In place of white.")
    strength: Strength = 1.0


class Colorize(Closed):
    """Lay one even colour over the picture."""

    op: Literal["colorize"] = "colorize"
    color: Colour = Field(description="Of the layer; its opacity counts as well.")
    opacity: Share = Field(default=0.5, description="Of the layer; 0 leaves the picture as it is.")


class Invert(Closed):
    """Make a negative."""

    op: Literal["invert"] = "invert"


class AutoContrast(Closed):
    """Stretch the light to the whole range, the colours along with it."""

    op: Literal["auto_contrast"] = "auto_contrast"
    cutoff: float = Field(
        default=0.5, ge=0, le=49, description="Share of pixels left out at each end, in percent."
    )


class Equalize(Closed):
    """Spread the light so that all levels are as frequent; the hues stay."""

    op: Literal["equalize"] = "equalize"


class Posterize(Closed):
    """Leave few levels."""

    op: Literal["posterize"] = "posterize"
    bits: int = Field(ge=1, le=8, description="Of each channel; 8 leaves the picture as it is.")


class Solarize(Closed):
    """Turn the light parts to their negative."""

    op: Literal["solarize"] = "solarize"
    threshold: int = Field(default=128, ge=0, le=255, description="Lightest level that is left.")
