"""One frame, or page, of several: the one that is asked for, whole, or a clear refusal."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from service.errors import BadPipeline, BrokenPicture
from service.imaging import (
    DEFAULT_PRESETS,
    Limits,
    Probe,
    Recipe,
    Rendered,
    in_words,
    peak_bytes,
    plan,
    probe,
    render,
)
from service.interrupting import GivenUp, asking
from tests.pictures import GIF_FRAME, GIF_SCREEN, animation, encoded, swapped_profile
from tests.unit.imaging.similar import difference, furthest, shown

SIZE = (48, 32)
COLOURS = ("#c80a0a", "#0ac80a", "#0a0ac8", "#c8c80a")
FORMATS = ("gif", "webp", "png", "avif", "tiff")


def film() -> list[Image.Image]:
    """Each with a square of its own colour and place; the rest is the same."""
    frames = [Image.new("RGB", SIZE, "#646464") for _ in COLOURS]
    for number, (frame, colour) in enumerate(zip(frames, COLOURS, strict=True)):
        frame.paste(colour, (8 * number, 8, 8 * number + 16, 24))
    return frames


def file_of(frames: Sequence[Image.Image], picture_format: str, **options: Any) -> bytes:
    return encoded(frames[0], picture_format, save_all=True, append_images=frames[1:], **options)


def recipe(frame: int = 1, **fields: Any) -> Recipe:
    return Recipe.model_validate({"name": f"v{frame}", "format": "png", "frame": frame, **fields})


def rendered(tmp_path: Path, data: bytes, *wanted: Recipe) -> list[Rendered]:
    return counted(tmp_path, data, *wanted)[0]


def counted(tmp_path: Path, data: bytes, *wanted: Recipe) -> tuple[list[Rendered], int]:
    """The variants, and how often the file was decoded for them."""
    stored = tmp_path / "original"
    stored.write_bytes(data)
    stages: list[str] = []

    def observe(stage: str, _format: str, _seconds: float) -> None:
        stages.append(stage)

    made = list(render(stored, probe(stored, Limits()), wanted, observe=observe))
    return made, stages.count("decode")


@pytest.mark.parametrize("picture_format", FORMATS)
@pytest.mark.parametrize(
    ("frame", "number"), [(1, 0), (2, 1), (3, 2), (4, 3), (5, 3), (1_000_000, 3)]
)
def test_the_frame_that_is_asked_for_or_the_last(
    tmp_path: Path, picture_format: str, frame: int, number: int
) -> None:
    (variant,) = rendered(tmp_path, file_of(film(), picture_format), recipe(frame))

    assert shown(variant).size == SIZE
    assert difference(shown(variant), film()[number]) < 4  # another frame: 15 and more


@pytest.mark.parametrize("picture_format", ["jpeg", "bmp", *FORMATS])
def test_of_a_still_picture_any_frame_is_the_only_one(tmp_path: Path, picture_format: str) -> None:
    (variant,) = rendered(tmp_path, encoded(film()[0], picture_format), recipe(3))

    assert difference(shown(variant), film()[0]) < 4


def test_the_picture_for_those_who_cannot_move_counts_as_the_first_frame(tmp_path: Path) -> None:
    data = file_of(film(), "png", default_image=True)

    second, last = rendered(tmp_path, data, recipe(2), recipe(9))[::-1]

    assert furthest(shown(second), film()[2]) == 0
    assert furthest(shown(last), film()[3]) == 0


def test_recipes_of_a_frame_share_its_decoding_and_those_of_the_first_come_last(
    tmp_path: Path,
) -> None:
    small = [{"op": "resize", "width": 12}]
    wanted = [recipe(1), recipe(3), recipe(1, name="small", operations=small), recipe(4)]
    wanted.append(recipe(99, name="last", operations=small))

    made, decodings = counted(tmp_path, file_of(film(), "gif"), *wanted)

    assert [one.name for one in made] == ["v4", "last", "v3", "v1", "small"]
    assert decodings == 3
    assert difference(shown(made[1]), film()[3].resize((12, 8), Image.Resampling.LANCZOS)) < 2
    (first,) = rendered(tmp_path, file_of(film(), "gif"), wanted[2])
    assert (made[-1].colour, made[-1].blurhash) == (first.colour, first.blurhash)
    assert made[0].blurhash != first.blurhash


def test_a_still_picture_is_decoded_once_whatever_frames_are_wanted(tmp_path: Path) -> None:
    wanted = [recipe(1), recipe(2), recipe(3)]

    assert counted(tmp_path, encoded(film()[0], "png"), *wanted)[1] == 1


# Pages


@pytest.mark.parametrize("fields", [{"frame": 2}, {"animated": True, "format": "webp"}])
def test_a_page_of_another_size_than_the_first_is_refused(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    pages = [Image.new("RGB", size, "white") for size in ((40, 30), (30, 40), (40, 30))]
    data = file_of(pages, "tiff")

    with pytest.raises(BadPipeline, match="Frame 2 has 30 × 40 pixels, not 40 × 30"):
        rendered(tmp_path, data, recipe().model_copy(update=fields))
    (third,) = rendered(tmp_path, data, recipe(3))
    assert (third.width, third.height) == (40, 30)


def test_a_page_has_its_own_profile_and_orientation(tmp_path: Path) -> None:
    red = Image.new("RGB", SIZE, "#c80a0a")
    red.paste("#0a0ac8", (0, 0, 48, 16))
    plain, turned = red.copy(), red.transpose(Image.Transpose.ROTATE_90)
    plain.encoderinfo = {"icc_profile": None}
    turned.encoderinfo = {"icc_profile": None, "tiffinfo": {274: 6}}
    data = file_of([red, plain, turned], "tiff", icc_profile=swapped_profile())

    third, second, first = rendered(tmp_path, data, recipe(3), recipe(2), recipe(1))

    assert furthest(shown(second), red) == furthest(shown(third), red) == 0
    assert difference(shown(first), red) > 40


# What is hostile


def gif_frame(width: int, height: int) -> bytes:
    """A frame of that size with a pixel, to be cleared away after it was shown."""
    clear = b"\x21\xf9\x04\x08\x05\0\0\0"
    return clear + GIF_FRAME[:5] + struct.pack("<HH", width, height) + GIF_FRAME[9:]


@pytest.mark.parametrize("fields", [{"frame": 2}, {"animated": True, "format": "webp"}])
def test_a_frame_that_reaches_out_of_its_gif_is_never_decoded(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    data = GIF_SCREEN + gif_frame(1, 1) + gif_frame(65_000, 65_000) + gif_frame(1, 1) + b";"
    stored = tmp_path / "original"
    stored.write_bytes(data)

    assert probe(stored, Limits()).frames == 1
    (variant,) = rendered(tmp_path, data, recipe().model_copy(update=fields))
    assert shown(variant).size == (8, 8)


def test_a_frame_of_another_size_than_was_probed_is_refused(tmp_path: Path) -> None:
    stored = tmp_path / "original"
    stored.write_bytes(GIF_SCREEN + gif_frame(1, 1) + gif_frame(9, 9) + b";")
    as_once_probed = replace(probe(stored, Limits()), frames=2)

    with pytest.raises(BadPipeline, match="9 × 9"):
        list(render(stored, as_once_probed, [recipe(2)]))


@pytest.mark.parametrize("picture_format", FORMATS)
def test_a_later_frame_that_is_cut_off_is_a_broken_picture(
    tmp_path: Path, picture_format: str
) -> None:
    stored = tmp_path / "original"
    data = animation(6, picture_format, size=(64, 64))
    stored.write_bytes(data)
    header = probe(stored, Limits())
    stored.write_bytes(data[: len(data) * 2 // 3])

    with pytest.raises(BrokenPicture):
        list(render(stored, header, [recipe(6)]))
    assert peak_bytes(stored, header, [recipe(6)]) > 0


@pytest.mark.parametrize("picture_format", ["gif", "webp", "png", "avif"])
def test_nobody_is_kept_waiting_for_frames_that_nobody_wants(
    tmp_path: Path, picture_format: str
) -> None:
    stored = tmp_path / "original"
    stored.write_bytes(animation(30, picture_format))
    header = probe(stored, Limits())
    asked: list[None] = []

    def after_ten() -> bool:
        asked.append(None)
        return len(asked) > 10

    with pytest.raises(GivenUp), asking(after_ten):
        list(render(stored, header, [recipe(30)]))


def test_what_takes_too_long_to_reach_is_refused() -> None:
    header = Probe("gif", "image/gif", 5_000, 4_000, 1, 100, alpha=False)
    small = {"operations": [{"op": "resize", "width": 50}]}
    assert plan(header, recipe(25, **small)).frame == 25
    with pytest.raises(BadPipeline, match="work") as caught:
        plan(header, recipe(27, **small))
    assert (caught.value.limit, caught.value.actual) == (500_000_000, 26 * 20_000_000 + 20_000_000)
    assert plan(replace(header, format="tiff"), recipe(100, **small)).frame == 100


# What may be asked for


@pytest.mark.parametrize("frame", [0, -1, 1_000_001, 10**9, 1.5, "first", None])
def test_a_frame_is_a_number_from_one(frame: Any) -> None:
    with pytest.raises(ValidationError):
        recipe(frame)


def test_one_frame_and_all_of_them_contradict_each_other() -> None:
    with pytest.raises(ValidationError, match="all frames"):
        recipe(2, animated=True)
    assert recipe(1, animated=True).animated


def test_recipes_that_name_no_frame_keep_their_versions() -> None:
    presets = {name: preset.digest for name, preset in DEFAULT_PRESETS.items()}
    assert presets == {
        "thumbnail": "2936e4e0",
        "small": "8ac26ace",
        "medium": "ac2f8d2e",
        "large": "1087334f",
    }
    steps = [{"op": "resize", "width": 600, "height": 400, "fit": "cover"}, {"op": "sharpen"}]
    card = {"name": "card", "operations": steps, "format": "webp", "quality": 80, "animated": True}
    assert Recipe.model_validate(card).digest == "7b1d03ff"


def test_another_frame_is_another_version() -> None:
    first, third = recipe(name="v"), recipe(3, name="v")
    assert len({first.digest, third.digest, recipe(4, name="v").digest}) == 3
    assert recipe(1, name="v").digest == first.digest
    assert Recipe.model_validate(third.as_json) == third


def test_a_frame_is_told_in_words() -> None:
    assert in_words(recipe(3)) == "As PNG, of several frames or pages number 3."
    assert in_words(recipe()) == "As PNG."
