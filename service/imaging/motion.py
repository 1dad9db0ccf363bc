"""The frames of a moving picture after its first, on their way to an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

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


def announce_alpha(file: BinaryIO) -> None:
    """Have a moving WebP say that it can be transparent: libwebp asks only its first frame.

    Source: RFC 9649, section 2.7.
    """
    file.seek(0)
    head = file.read(21)
    if head[12:16] == b"VP8X":
        file.seek(20)
        file.write(bytes([head[20] | 0x10]))
