"""A stored file → the pixels of one of its frames, or of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL.Image import Image
from PIL.ImageFile import ImageFile

from service.errors import BadPipeline, BrokenPicture
from service.imaging import colour, exif
from service.imaging.jobs import swapped
from service.imaging.opening import opened, quietly
from service.imaging.probe import Probe
from service.imaging.pyramid import Level, Wanted
from service.imaging.seeking import go_to
from service.imaging.window import Box, whole
from service.interrupting import GivenUp, checkpoint

#: Bytes of the file that a decoder is given at a time. Pillow gives it 64 KiB, and takes the
#: interpreter's lock between any two: with other threads at work a core stands idle meanwhile.
BLOCK_BYTES = 1024 * 1024


def decode(source: Path, probe: Probe, wanted: Sequence[Wanted], frame: int = 1) -> Level:
    """The whole picture, in the modes `resample` takes, no larger than the largest wanted needs.

    Raises:
        BadPipeline: a later frame has another size than the first.
        BrokenPicture: whatever else went wrong, but for want of memory.
    """
    with _decoding(source, probe) as image:
        if frame > 1:
            go_to(image, _first(image) + frame - 1, probe.format)
        profile = image.info.get("icc_profile")
        box = _draft(image, wanted)
        image.load()
        return Level(_detached(colour.prepare(image)), box, profile)


@dataclass(frozen=True)
class Frame:
    """One picture of several."""

    level: Level
    #: How long it is shown, in milliseconds.
    duration: int


def frames(source: Path, probe: Probe) -> Iterator[Frame]:
    """The frames of a moving picture, each complete; at most as many as were probed.

    Raises: as `decode`.
    """
    with _decoding(source, probe) as image:
        first = _first(image)
        for number in range(first, min(first + probe.frames, getattr(image, "n_frames", 1))):
            checkpoint()
            go_to(image, number, probe.format)
            image.load()
            level = Level(
                _detached(colour.prepare(image)).copy(),
                whole(image.size),
                image.info.get("icc_profile"),
            )
            yield Frame(level, _milliseconds(image))


def _first(image: ImageFile) -> int:
    """The number of the first frame: that of some APNGs is for those who cannot show them moving,
    and no frame."""
    return int(getattr(image, "default_image", False))


def loops(source: Path, probe: Probe) -> int:
    """How often a moving picture is shown; 0: for ever, as where it does not say."""
    with _decoding(source, probe) as image:
        told = image.info.get("loop", 0)
        return told if isinstance(told, int) and 0 <= told <= 65_535 else 0


def _milliseconds(image: ImageFile) -> int:
    """As browsers do, a frame that is to be shown for next to no time is shown for 100 ms."""
    told = image.info.get("duration", 0)
    return min(65_535, round(told)) if isinstance(told, int | float) and told >= 11 else 100


@contextmanager
def _decoding(source: Path, probe: Probe) -> Iterator[ImageFile]:
    """The file, if it is the one that was probed; whatever goes wrong means that it is broken."""
    try:
        with opened(source, probe.format) as image, quietly(probe.format):
            stored = swapped(image.size) if exif.swaps_axes(probe.orientation) else image.size
            if stored != (probe.width, probe.height):
                raise BrokenPicture("The picture is not the one that was examined")
            image.decodermaxblock = BLOCK_BYTES
            yield image
    except (BadPipeline, BrokenPicture, MemoryError, GivenUp, GeneratorExit):
        raise
    # Pillow's decoders raise a dozen unrelated types at broken files; all mean the same here.
    except Exception as error:
        raise BrokenPicture(f"The picture cannot be decoded: {error}") from error


def _draft(image: ImageFile, wanted: Sequence[Wanted]) -> Box:
    """Have a JPEG decoded at 1/2, 1/4 or 1/8 where that is still enough; where the picture lies."""
    sizes = [want.size_of_all for want in wanted]
    width, height = (max(1, round(max(size[axis] for size in sizes))) for axis in (0, 1))
    drafted = image.draft(None, (width, height))
    return drafted[1] if drafted else whole(image.size)


def _detached(image: Image) -> Image:
    """The pixels without the decoder behind them, which may hold two more copies (WebP)."""
    detached = image._new(image.im)
    detached.info = {}
    return detached
