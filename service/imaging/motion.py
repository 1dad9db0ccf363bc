"""The frames of a moving picture after its first, on their way to an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Motion:
    """The further frames of a moving picture, all of one size and mode, and their times."""

    frames: Sequence[Image.Image]
    #: Milliseconds that each frame is shown, the first one's first.
    durations: Sequence[int]
    #: How often it is shown; 0: for ever.
    loop: int


def moving(motion: Motion | None) -> dict[str, Any]:
    """What Pillow's encoders are told of further frames, if there are any."""
    if motion is None:
        return {}
    return {
        "save_all": True,
        "append_images": list(motion.frames),
        "duration": list(motion.durations),
        "loop": motion.loop,
    }
