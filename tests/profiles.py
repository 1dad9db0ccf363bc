"""ICC profiles made in code, of which it is known what they do, and what colours look like."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, np.dtype[np.float64]]

#: White points as XYZ. Source: ICC.1:2022, 6.3.4.3 (D50); IEC 61966-2-1 (D65, by x and y).
D50 = np.array([0.9642, 1.0, 0.8249])
D65 = np.array([0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290])

#: Red, green and blue by x and y. Sources: IEC 61966-2-1; SMPTE EG 432-1; Adobe RGB (1998), 4.3.2.
PRIMARIES: Mapping[str, tuple[tuple[float, float], ...]] = {
    "sRGB": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    "Display P3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    "Adobe RGB": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),
    "sRGB linear": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
}
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def _srgb_light(level: Numbers) -> Numbers:
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


#: Light of a level, both from 0 to 1.
CURVES: Mapping[str, Callable[[Numbers], Numbers]] = {
    "sRGB": _srgb_light,
    "Display P3": _srgb_light,
    "Adobe RGB": lambda level: level ** (563 / 256),
    "sRGB linear": lambda level: level,
}


def _srgb_level(light: Numbers) -> Numbers:
    return np.where(
        light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055
    )


def to_d50(space: str) -> Numbers:
    """The matrix from light of a space's three colours to XYZ under D50, adapted by Bradford."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in PRIMARIES[space]]).T
    to_d65 = columns * np.linalg.solve(columns, D65)
    gain = np.diag((_BRADFORD @ D50) / (_BRADFORD @ D65))
    adapted: Numbers = np.linalg.inv(_BRADFORD) @ gain @ _BRADFORD @ to_d65
    return adapted


def srgb_of(space: str, levels: Numbers) -> Numbers:
    """Levels 0..1 of a space, as exact sRGB; what lies outside is cut off."""
    return srgb_of_xyz(CURVES[space](levels) @ to_d50(space).T)


def srgb_of_xyz(xyz: Numbers) -> Numbers:
    light = np.clip(xyz @ np.linalg.inv(to_d50("sRGB")).T, 0, 1)
    return _srgb_level(light)


def lab_of(srgb: Numbers) -> Numbers:
    """sRGB 0..1 as CIELAB under D50."""
    ratio = _srgb_light(srgb) @ to_d50("sRGB").T / D50
    cube = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(cube, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def xyz_of_lab(lab: Numbers) -> Numbers:
    light, a, b = np.moveaxis(lab, -1, 0)
    y = (light + 16) / 116
    cube = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    linear = np.where(cube > 6 / 29, cube**3, 3 * (6 / 29) ** 2 * (cube - 4 / 29))
    found: Numbers = linear * D50
    return found


def apart(one: Numbers, other: Numbers) -> Numbers:
    """ΔE of 1976 between colours of sRGB 0..1."""
    found: Numbers = np.linalg.norm(lab_of(one) - lab_of(other), axis=-1)
    return found


def display_profile(space: str) -> bytes:
    """A profile of three colours and a curve (ICC.1:2022, 8.3.3), as cameras and phones embed."""
    red, green, blue = to_d50(space).T
    if space == "Adobe RGB":
        curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, 563) + b"\0\0"
    elif space == "sRGB linear":
        curve = b"curv\0\0\0\0" + bytes(4)
    else:
        numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        curve = b"para\0\0\0\0" + struct.pack(">HH5i", 3, 0, *map(_fixed, numbers))
    tags = {b"rXYZ": _xyz(red), b"gXYZ": _xyz(green), b"bXYZ": _xyz(blue)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _profile(space, b"mntr", b"RGB ", b"XYZ ", tags)


def press_profile() -> bytes:
    """A profile of a simple press (ICC.1:2022, 10.11): 5⁴ mixtures of four inks, as Lab."""
    steps = 5
    grid = np.array(list(product(np.linspace(0, 1, steps), repeat=4)))
    lab = lab_of(press(grid))
    table = np.rint((lab + np.array([0, 128, 128])) * [65_280 / 100, 256, 256]).astype(">u2")
    even = struct.pack(">2H", 0, 65_535)
    lut = b"mft2\0\0\0\0" + struct.pack(">4B9i2H", 4, 3, steps, 0, *_unity(), 2, 2)
    lut += even * 4 + table.tobytes() + even * 3
    return _profile("press", b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut, b"A2B1": lut})


def press(inks: Numbers) -> Numbers:
    """What a simple press makes of inks 0..1, as sRGB: all inks together are not quite black."""
    cyan, magenta, yellow, black = np.moveaxis(inks, -1, 0)
    colour = np.stack([1 - 0.9 * cyan, 1 - 0.85 * magenta, 1 - 0.95 * yellow], axis=-1)
    found: Numbers = 0.02 + 0.98 * colour * (1 - 0.9 * black)[..., None]
    return found


def _profile(
    name: str, kind: bytes, space: bytes, between: bytes, tags: dict[bytes, bytes]
) -> bytes:
    text = name.encode() + b"\0"
    tags = tags | {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": _xyz(D50),
    }
    body, directory, offset = b"", struct.pack(">I", len(tags)), 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        directory += struct.pack(">4sII", tag, offset + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4xI4s4s4s", offset + len(body), 0x02400000, kind, space, between)
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    head += struct.pack(">3i", *map(_fixed, D50))
    return head + bytes(128 - len(head)) + directory + body


def _unity() -> list[int]:
    return [_fixed(number) for number in np.eye(3).flat]


def _xyz(colour: Numbers) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *map(_fixed, colour))


def _fixed(number: float) -> int:
    return round(number * 65_536)
