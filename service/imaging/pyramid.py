"""The sizes of one picture already at hand, so that no variant starts from more than it needs.

The first level is the decoded picture; every whole, unfiltered reduction of it becomes a further
one. Levels are kept as the file stores them, not yet turned upright, since turning the small
result costs less than turning the large source.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from PIL.Image import Image, Resampling

from service.imaging.colour import to_srgb
from service.imaging.resample import resample
from service.imaging.window import Box, Size, whole

#: A level this many times the wanted size gives what the whole picture would, to within 0.001 of
#: SSIM; from one nearer than that, two passes of the filter show.
MARGIN = 1.4


@dataclass(frozen=True)
class Level:
    """One size of the picture: `box` is where the picture lies within the image, in pixels."""

    image: Image
    box: Box
    #: The ICC profile the colours are still in; None for sRGB.
    profile: bytes | None = None

    @property
    def size(self) -> tuple[float, float]:
        return self.box[2] - self.box[0], self.box[3] - self.box[1]

    def serves(self, wanted: Wanted) -> bool:
        """Whether the wanted pixels may come from here: the very size, or one with a margin."""
        if wanted.whole and self.image.size == wanted.scaled and self.size == wanted.scaled:
            return True
        width, height = wanted.size_of_all
        return self.size[0] >= MARGIN * width and self.size[1] >= MARGIN * height

    def sample(self, size: Size) -> Image:
        """Single pixels of the whole picture, in sRGB: enough for a placeholder."""
        return to_srgb(self.image.resize(size, Resampling.NEAREST, self.box), self.profile)

    def take(self, wanted: Wanted) -> Image:
        """The wanted part at the wanted size, in sRGB."""
        across, down = self.size[0] / wanted.picture[0], self.size[1] / wanted.picture[1]
        left, top, right, bottom = wanted.box
        box = (
            left * across,
            top * down,
            min(right * across, self.box[2]),
            min(bottom * down, self.box[3]),
        )
        return to_srgb(resample(self.image, wanted.scaled, box), self.profile)


@dataclass(frozen=True)
class Wanted:
    """A part of the picture at a size, in the orientation of the file."""

    #: Pixels of the whole picture as stored.
    picture: Size
    #: The part, in the picture's own pixels.
    box: Box
    #: The size that part is scaled to.
    scaled: Size

    @property
    def whole(self) -> bool:
        return self.box == whole(self.picture)

    @property
    def size_of_all(self) -> tuple[float, float]:
        """The size the whole picture has when its part has the wanted one."""
        left, top, right, bottom = self.box
        return (
            self.picture[0] * self.scaled[0] / (right - left),
            self.picture[1] * self.scaled[1] / (bottom - top),
        )


@dataclass(frozen=True)
class Pyramid:
    """Levels from the largest to the smallest; taking from it gives the next pyramid."""

    levels: tuple[Level, ...]

    def source_of(self, wanted: Wanted) -> Level:
        """The smallest level that serves, else the first: the whole picture, enlarged or not."""
        serving = (level for level in reversed(self.levels) if level.serves(wanted))
        return next(serving, self.levels[0])

    def take(self, wanted: Wanted) -> tuple[Image, Pyramid]:
        """The wanted pixels, upright not yet, and the pyramid with them as a further level."""
        image = self.source_of(wanted).take(wanted)
        smallest = self.levels[-1].size
        if not wanted.whole or image.width >= smallest[0] or image.height >= smallest[1]:
            return image, self
        return image, Pyramid((*self.levels, Level(image, whole(image.size))))

    def kept_for(self, coming: Iterable[Wanted]) -> Pyramid:
        """The pyramid less the levels that nothing still to come would be taken from."""
        used = {id(self.source_of(wanted)) for wanted in coming}
        return Pyramid(tuple(level for level in self.levels if id(level) in used))
