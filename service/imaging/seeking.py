"""The way to a later frame, or page, of a file that has several."""

from __future__ import annotations

from PIL.ImageFile import ImageFile

from service.errors import BadPipeline
from service.imaging.window import Size
from service.interrupting import checkpoint

#: Formats whose pages stand by themselves; elsewhere a frame is laid over those before it.
APART = frozenset({"tiff"})


def go_to(image: ImageFile, number: int, picture_format: str) -> None:
    """Make a frame, counted from 0, the next to be decoded, unless the file is past it already.

    Raises:
        BadPipeline: it has another size than the frame before, and so than the header foretold.
        GivenUp: nobody waits for it any more; looked for at each frame on the way.
        Whatever Pillow raises where a frame on the way cannot be decoded.
    """
    size = image.size
    while image.tell() < number:
        checkpoint()
        if picture_format in APART:
            image.info.pop("icc_profile", None)  # a page has its own, or none
            image.seek(number)
        else:
            image.load()
            image.seek(image.tell() + 1)
        _hold(image, size)


def _hold(image: ImageFile, size: Size) -> None:
    if image.size != size:
        found, told = ("{} × {} pixels".format(*sides) for sides in (image.size, size))
        raise BadPipeline(
            f"Frame {image.tell() + 1} has {found}, not {told} as the first; only frames of one "
            "size can be taken",
            field="variants",
        )
