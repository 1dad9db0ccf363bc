"""What all words share: closed models, bounded numbers, colours, places in a picture."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_SIDE_PX = 16_384
#: The largest output of any step, enlargements included.
MAX_OUTPUT_PIXELS = 50_000_000

Side = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]
Offset = Annotated[int, Field(ge=0, le=MAX_SIDE_PX)]
Factor = Annotated[
    float, Field(ge=0, le=4, allow_inf_nan=False, description="1 leaves the picture as it is.")
]
#: How much of what an operation does is mixed with the picture as it was.
Strength = Annotated[
    float,
    Field(ge=0, le=1, allow_inf_nan=False, description="0 leaves the picture as it is."),
]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]

_HEX = r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{8})"
Colour = Annotated[
    str,
    Field(
        pattern=rf"^{_HEX}$",
        description="#rrggbb, or #rrggbbaa with opacity.",
        examples=["#ffffff", "#00000000"],
    ),
]
Opaque = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$", examples=["#1b1464"])]
Padding = Annotated[
    str,
    Field(
        pattern=rf"^(?:{_HEX}|blur|auto)$",
        description="#rrggbb, or #rrggbbaa with opacity; `auto` is the picture's mean colour, "
        "`blur` the picture itself, enlarged and blurred.",
        examples=["#ffffff", "#00000000", "blur"],
    ),
]


class Gravity(StrEnum):
    """The part of a picture that counts."""

    CENTER = "center"
    NORTH = "north"
    NORTHEAST = "northeast"
    EAST = "east"
    SOUTHEAST = "southeast"
    SOUTH = "south"
    SOUTHWEST = "southwest"
    WEST = "west"
    NORTHWEST = "northwest"
    SMART = "smart"  # where most is to be seen: the part with the highest entropy


#: A place for what is put on a picture.
Place = Literal[
    Gravity.CENTER,
    Gravity.NORTH,
    Gravity.NORTHEAST,
    Gravity.EAST,
    Gravity.SOUTHEAST,
    Gravity.SOUTH,
    Gravity.SOUTHWEST,
    Gravity.WEST,
    Gravity.NORTHWEST,
]


class Closed(BaseModel):
    """Frozen, and refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Focus(Closed):
    """A point of the picture, as shares of its width and height."""

    x: Share = Field(description="From the left, as a share of the width.")
    y: Share = Field(description="From the top, as a share of the height.")


def is_clear(colour: str) -> bool:
    """Whether something can be seen through this colour."""
    return len(colour) == 9 and colour[7:].lower() != "ff"
