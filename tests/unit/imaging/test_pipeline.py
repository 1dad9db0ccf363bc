"""From a stored file to variants: sizes as foretold, no metadata, honest failures."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from service.errors import BadPipeline, BrokenPicture
from service.imaging import (
    Limits,
    Probe,
    Recipe,
    Rendered,
    colour,
    dominant_colour,
    plan,
    probe,
    render,
)
from service.imaging.encode import encode
from service.imaging.operations import apply
from service.imaging.presets import DEFAULT_PRESETS
from service.imaging.words import (
    Blur,
    Crop,
    Denoise,
    Fit,
    Focus,
    Gravity,
    Grayscale,
    Operation,
    Resize,
    Sharpen,
    Trim,
    Watermark,
)
from tests import pictures
from tests.pictures import encoded, photo, picture_bytes, stored_turned
from tests.unit.imaging.examples import ALL
from tests.unit.imaging.similar import difference, furthest, shown


def recipe(name: str = "v", *operations: Any, **fields: Any) -> Recipe:
    return Recipe(name=name, operations=operations, **fields)


def inside(side_px: int, **fields: Any) -> Recipe:
    return recipe(f"v{side_px}", Resize(width=side_px, height=side_px), **fields)


def rendered(tmp_path: Path, data: bytes, recipes: Sequence[Recipe]) -> list[Rendered]:
    stored = tmp_path / "original"
    stored.write_bytes(data)
    return list(render(stored, probe(stored, Limits()), recipes))


HEADER = Probe("jpeg", "image/jpeg", 4000, 3000, 1, 1, alpha=False)

resizes = st.builds(
    Resize,
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    fit=st.sampled_from(Fit),
    enlarge=st.booleans(),
    gravity=st.sampled_from(Gravity),
    dpr=st.sampled_from([0.5, 1, 1.5]),
    background=st.sampled_from(["#ffffff", "#00000000", "blur"]),
)
crops = st.builds(
    Crop,
    width=st.integers(1, 90),
    height=st.none() | st.integers(1, 90),
    x=st.none() | st.integers(0, 90),
    gravity=st.sampled_from(Gravity),
)
others = st.sampled_from([one for one in ALL if one.op not in {"trim", "watermark"}])
recipes = st.lists(
    st.builds(
        lambda operations, picture_format: recipe("v", *operations, format=picture_format),
        st.lists(resizes | crops | others, max_size=3),
        st.sampled_from(["jpeg", "png", "webp", "gif", "auto"]),
    ),
    min_size=1,
    max_size=4,
)


@given(
    recipes,
    st.tuples(st.integers(1, 80), st.integers(1, 80)),
    st.integers(1, 8),
    st.sampled_from([("RGB", "jpeg"), ("RGBA", "png"), ("P", "png"), ("RGBA", "webp")]),
)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_planned_is_rendered(
    tmp_path: Path,
    wanted: list[Recipe],
    size: tuple[int, int],
    orientation: int,
    kind: tuple[str, str],
) -> None:
    wanted = [one.model_copy(update={"name": f"v{n}"}) for n, one in enumerate(wanted)]
    stored = tmp_path / "original"
    stored.write_bytes(picture_bytes(kind[0], size, kind[1], orientation=orientation))
    header = probe(stored, Limits())
    foretold = {one.name: plan(header, one) for one in wanted}
    made = list(render(stored, header, wanted))
    assert {variant.name for variant in made} == set(foretold)
    for variant in made:
        planned, image = foretold[variant.name], shown(variant)
        assert image.size == (variant.width, variant.height) == (planned.width, planned.height)
        assert image.format == planned.format.upper() == variant.format.upper()
        assert variant.content_type == planned.content_type == f"image/{planned.format}"


@pytest.mark.parametrize("picture_format", ["jpeg", "png", "webp", "avif", "tiff"])
@pytest.mark.parametrize(
    "operations",
    [
        [Resize(width=60, height=60)],
        [Resize(width=60, height=60, fit=Fit.COVER)],
        [Resize(width=60, height=60, fit=Fit.COVER, gravity=Gravity.NORTHWEST)],
        [Resize(width=60, height=60, fit=Fit.COVER, focus=Focus(x=0.8, y=0.1))],
        [Resize(width=60, height=60, fit=Fit.CONTAIN, gravity=Gravity.SOUTH)],
        [Crop(width=70, height=50, x=20, y=10)],
        [Crop(width=70, height=50, x=20, y=10), Resize(width=30, height=30, fit=Fit.COVER)],
    ],
)
def test_eight_orientations_show_one_picture(
    tmp_path: Path, picture_format: str, operations: list[Operation]
) -> None:
    wanted = [recipe("v", *operations, format="png")]
    seen = []
    for orientation in range(1, 9):
        turned = stored_turned(photo((160, 96)), orientation)
        (variant,) = rendered(
            tmp_path, encoded(turned, picture_format, orientation=orientation), wanted
        )
        seen.append(shown(variant))
    assert all(difference(seen[0], other) < 2.5 for other in seen[1:])


def test_variants_come_largest_first_whatever_the_order_asked(tmp_path: Path) -> None:
    wanted = [inside(20), inside(90), inside(40)]
    made = rendered(tmp_path, picture_bytes(), wanted)
    assert [variant.name for variant in made] == ["v90", "v40", "v20"]


def test_the_cascade_gives_what_each_alone_would(tmp_path: Path) -> None:
    data = picture_bytes(size=(1000, 700))
    wanted = [inside(side, format="png") for side in (640, 500, 480, 320, 200, 100, 37)]
    together = rendered(tmp_path, data, wanted)
    whole = Image.open(io.BytesIO(data))
    for variant in together:
        image = shown(variant)
        direct = whole.convert("RGB").resize(image.size, Image.Resampling.LANCZOS)
        assert difference(image, direct) < 1.5, variant.name


def test_filters_of_one_variant_do_not_reach_the_next(tmp_path: Path) -> None:
    data = picture_bytes(size=(400, 300), picture_format="png")
    changed = recipe("a", Resize(width=300), Blur(radius=30), Grayscale(), format="png")
    (_, small) = rendered(tmp_path, data, [changed, inside(100, format="png")])
    (alone,) = rendered(tmp_path, data, [inside(100, format="png")])
    assert difference(shown(small), shown(alone)) < 1


def test_a_part_cut_out_is_no_source_for_the_whole(tmp_path: Path) -> None:
    data = picture_bytes(size=(400, 200), picture_format="png")
    square = recipe("a", Resize(width=150, height=150, fit=Fit.COVER), format="png")
    (_, small) = rendered(tmp_path, data, [square, inside(60, format="png")])
    (alone,) = rendered(tmp_path, data, [inside(60, format="png")])
    assert furthest(shown(small), shown(alone)) == 0


def test_want_of_memory_is_not_the_pictures_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_image: Image.Image) -> Image.Image:
        raise MemoryError

    monkeypatch.setattr(colour, "prepare", fail)
    with pytest.raises(MemoryError):
        rendered(tmp_path, picture_bytes(), [inside(50)])


def test_operations_are_carried_out_in_order(tmp_path: Path) -> None:
    data = picture_bytes(size=(200, 120), picture_format="png")
    steps: list[Operation] = [Resize(width=50), Blur(radius=6), Sharpen(amount=300)]
    for order in itertools.permutations(steps):
        (variant,) = rendered(tmp_path, data, [recipe("v", *order, format="png")])
        expected = photo((200, 120))
        for operation in order:
            expected = apply(expected, operation)
        assert furthest(shown(variant), expected) == 0


def test_a_crop_and_a_resize_are_one_step(tmp_path: Path) -> None:
    steps = [Crop(width=300, height=200, x=150, y=90), Resize(width=75)]
    data = picture_bytes(size=(600, 400), picture_format="png")
    (variant,) = rendered(tmp_path, data, [recipe("v", *steps, format="png")])
    expected = (
        photo((600, 400)).crop((150, 90, 450, 290)).resize((75, 50), Image.Resampling.LANCZOS)
    )
    assert difference(shown(variant), expected) < 1


def test_what_is_trimmed_is_made_as_large_as_it_is(tmp_path: Path) -> None:
    picture = Image.new("RGB", (300, 200), "white")
    picture.paste(photo((60, 40)), (30, 30))
    steps = [Trim(), Resize(width=30)]
    (variant,) = rendered(tmp_path, encoded(picture, "png"), [recipe("v", *steps, format="png")])
    assert (variant.width, variant.height) == shown(variant).size == (30, 20)


def test_what_grows_too_large_after_a_trim_is_refused(tmp_path: Path) -> None:
    picture = Image.new("RGB", (400, 400), "white")
    picture.paste((0, 0, 0), (0, 0, 400, 2))
    steps = [Trim(color="#ffffff"), Resize(height=100, enlarge=True)]
    stored = tmp_path / "original"
    stored.write_bytes(encoded(picture, "png"))
    header = probe(stored, Limits())
    assert plan(header, recipe("v", *steps)).height == 100
    with pytest.raises(BadPipeline) as caught:
        list(render(stored, header, [recipe("v", *steps)]))
    assert (caught.value.limit, caught.value.actual) == (16_384, 20_000)


def test_a_watermark_comes_from_the_folder_that_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (10, 10), "red").save(tmp_path / "logo.png")
    stored = tmp_path / "original"
    stored.write_bytes(encoded(Image.new("RGB", (40, 40), "white"), "png"))
    mark = Watermark(image="logo", opacity=1, margin=0)
    wanted = [recipe("v", mark, format="png")]
    (variant,) = render(stored, probe(stored, Limits()), wanted, watermarks=tmp_path)
    assert shown(variant).convert("RGB").getpixel((39, 39)) == (255, 0, 0)
    with pytest.raises(BadPipeline):
        next(render(stored, probe(stored, Limits()), wanted))


def test_cover_shows_the_middle(tmp_path: Path) -> None:
    picture = Image.new("RGB", (300, 100), "red")
    picture.paste((0, 0, 255), (100, 0, 200, 100))
    cover = Resize(width=50, height=50, fit=Fit.COVER)
    (variant,) = rendered(tmp_path, encoded(picture, "png"), [recipe("v", cover, format="png")])
    assert difference(shown(variant), Image.new("RGB", (50, 50), "blue")) < 5


@pytest.mark.parametrize("source_format", ["jpeg", "png", "gif"])
@pytest.mark.parametrize("picture_format", ["jpeg", "png", "webp", "avif", "gif"])
def test_no_variant_carries_metadata(
    tmp_path: Path, source_format: str, picture_format: str
) -> None:
    data = pictures.with_secrets(source_format)
    assert pictures.SECRET in data
    wanted = [recipe("a", format=picture_format), recipe("b", Resize(width=30), format="jpeg")]
    for variant in rendered(tmp_path, data, wanted):
        assert pictures.SECRET not in variant.data
        assert not {"exif", "comment", "xmp", "icc_profile", "photoshop"} & set(shown(variant).info)


@pytest.mark.parametrize("picture_format", ["jpeg", "png", "webp", "avif", "gif"])
def test_the_encoder_itself_leaves_metadata_out(picture_format: Any) -> None:
    image = photo(mode="RGBA")
    image.info = {"comment": pictures.SECRET, "icc_profile": pictures.srgb_profile()}
    image.info |= {"exif": b"Exif\0\0" + pictures.SECRET, "xmp": pictures.SECRET}
    before = dict(image.info)
    data = encode(image, picture_format, recipe(quality=80))
    assert pictures.SECRET not in data
    assert "icc_profile" not in Image.open(io.BytesIO(data)).info
    assert image.info == before


def test_auto_follows_transparency() -> None:
    opaque, clear = HEADER, replace(HEADER, format="png", content_type="image/png", alpha=True)
    assert plan(opaque, inside(50)).format == "jpeg"
    assert plan(clear, inside(50)).format == "webp"
    padded = Resize(width=50, height=50, fit=Fit.CONTAIN, background="#00000000")
    assert plan(opaque, recipe("v", padded)).format == "webp"
    assert plan(opaque, recipe("v", padded, format="png")).format == "png"


def test_jpeg_puts_transparency_on_white(tmp_path: Path) -> None:
    data = encoded(Image.new("RGBA", (40, 40), (255, 0, 0, 128)), "png")
    (variant,) = rendered(tmp_path, data, [recipe(format="jpeg")])
    assert difference(shown(variant), Image.new("RGB", (40, 40), (255, 127, 127))) < 2


@pytest.mark.parametrize("picture_format", ["png", "webp", "avif"])
def test_alpha_survives_where_the_format_can_hold_it(tmp_path: Path, picture_format: str) -> None:
    data = picture_bytes("RGBA", picture_format="png")
    (variant,) = rendered(tmp_path, data, [recipe(format=picture_format, quality=90)])
    assert difference(shown(variant).getchannel("A"), photo(mode="RGBA").getchannel("A"), "L") < 1


def test_a_moving_picture_gives_its_first_frame(tmp_path: Path) -> None:
    for picture_format in ("gif", "png", "webp", "avif", "tiff"):
        data = pictures.animation(4, picture_format)
        (variant,) = rendered(tmp_path, data, [recipe(format="png")])
        assert difference(shown(variant), Image.new("RGB", (8, 8), (200, 10, 0))) < 3


@pytest.mark.parametrize(("width", "height"), [(7_071, 7_071), (16_384, 3_051)])
def test_the_largest_possible_output(width: int, height: int) -> None:
    fill = Resize(width=width, height=height, fit=Fit.FILL, enlarge=True)
    assert plan(HEADER, recipe("v", fill)).width == width
    wider = fill.model_copy(update={"height": height + 1})
    with pytest.raises(BadPipeline) as caught:
        plan(HEADER, recipe("v", wider))
    assert caught.value.limit == 50_000_000
    assert caught.value.actual == width * (height + 1)


def test_a_large_step_in_between_is_refused() -> None:
    large = Resize(width=16_000, enlarge=True)
    with pytest.raises(BadPipeline):
        plan(HEADER, recipe("v", large, Resize(width=10)))


def test_what_would_take_too_long_is_refused() -> None:
    large = replace(HEADER, width=7_000, height=7_000)
    assert plan(large, recipe("v", *[Grayscale()] * 10)).width == 7_000
    for steps in ([Grayscale()] * 11, [Denoise(passes=3)], [Blur(radius=1)] * 6):
        with pytest.raises(BadPipeline, match="work") as caught:
            plan(large, recipe("v", *steps))
        assert caught.value.limit == 500_000_000
    small = recipe("v", Resize(width=1_600), Denoise(passes=4), *[Blur(radius=9)] * 14)
    assert plan(large, small).width == 1_600


def test_a_side_grown_in_proportion_is_bounded() -> None:
    with pytest.raises(BadPipeline) as caught:
        plan(replace(HEADER, width=1, height=100), recipe("v", Resize(width=165, enlarge=True)))
    assert (caught.value.limit, caught.value.actual) == (16_384, 16_500)


def test_webp_has_a_limit_of_its_own() -> None:
    wide = Resize(width=16_384, height=10, fit=Fit.FILL, enlarge=True)
    assert plan(HEADER, recipe("v", wide, format="png")).width == 16_384
    with pytest.raises(BadPipeline) as caught:
        plan(HEADER, recipe("v", wide, format="webp"))
    assert (caught.value.limit, caught.value.actual) == (16_383, 16_384)


def test_a_bad_recipe_is_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    bad = recipe("v", Resize(width=16_000, enlarge=True))
    with pytest.raises(BadPipeline):
        next(render(tmp_path / "nothing", HEADER, [bad]))


@pytest.mark.parametrize("side_px", [600, 300, 75], ids=["full", "half", "eighth"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_short_is_broken_at_every_draft(
    tmp_path: Path, side_px: int, progressive: bool
) -> None:
    data = picture_bytes(size=(600, 400), progressive=progressive)
    assert rendered(tmp_path, data, [inside(side_px)])
    for share in (0.5, 0.8, 0.95):
        with pytest.raises(BrokenPicture):
            rendered(tmp_path, pictures.truncated(data, share), [inside(side_px)])


@pytest.mark.parametrize("picture_format", ["png", "webp", "avif", "tiff", "bmp", "gif"])
def test_other_formats_cut_short_are_broken(tmp_path: Path, picture_format: str) -> None:
    stored = tmp_path / "original"
    data = picture_bytes(size=(300, 200), picture_format=picture_format)
    stored.write_bytes(data)
    header = probe(stored, Limits())
    stored.write_bytes(pictures.truncated(data))
    with pytest.raises(BrokenPicture):
        list(render(stored, header, [inside(50)]))
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("picture_format", ["jpeg", "png", "webp", "avif", "tiff", "bmp", "gif"])
def test_changed_bytes_are_shown_or_broken(tmp_path: Path, picture_format: str) -> None:
    stored = tmp_path / "original"
    data = picture_bytes(size=(24, 16), picture_format=picture_format)
    stored.write_bytes(data)
    header = probe(stored, Limits())
    for at in range(0, len(data), max(1, len(data) // 80)):
        stored.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        try:
            made = list(render(stored, header, [inside(9)]))
        except BrokenPicture:
            continue
        assert made[0].width == 9


def test_another_picture_than_the_one_examined_is_broken(tmp_path: Path) -> None:
    stored = tmp_path / "original"
    stored.write_bytes(picture_bytes(size=(96, 64)))
    header = probe(stored, Limits())
    for other in (picture_bytes(size=(64, 96)), picture_bytes(picture_format="png"), b""):
        stored.write_bytes(other)
        with pytest.raises(BrokenPicture):
            list(render(stored, header, [inside(50)]))


def test_every_stage_is_observed(tmp_path: Path) -> None:
    stored = tmp_path / "original"
    stored.write_bytes(picture_bytes(picture_format="png"))
    seen: list[tuple[str, str]] = []

    def observe(stage: str, picture_format: str, seconds: float) -> None:
        assert seconds >= 0
        seen.append((stage, picture_format))

    wanted = [inside(50, format="webp"), inside(20, format="jpeg")]
    list(render(stored, probe(stored, Limits()), wanted, observe=observe))
    assert seen == [
        ("decode", "png"),
        ("transform", "webp"),
        ("encode", "webp"),
        ("transform", "jpeg"),
        ("encode", "jpeg"),
    ]


def test_the_colour_is_that_of_what_is_seen(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    picture.paste((200, 100, 50, 255), (0, 0, 32, 64))
    (variant,) = rendered(tmp_path, encoded(picture, "png"), [recipe(format="png")])
    assert variant.colour is not None
    assert (
        difference(
            Image.new("RGB", (1, 1), variant.colour), Image.new("RGB", (1, 1), (200, 100, 50))
        )
        <= 1
    )
    assert dominant_colour(Image.new("RGBA", (5, 5), (1, 2, 3, 0))) is None
    assert dominant_colour(Image.new("RGB", (500, 3), (1, 2, 255))) == "#0102ff"


def test_the_presets_make_what_they_say(tmp_path: Path) -> None:
    made = rendered(tmp_path, picture_bytes(size=(2000, 1000)), list(DEFAULT_PRESETS.values()))
    assert {variant.name: (variant.width, variant.height) for variant in made} == {
        "large": (1600, 800),
        "medium": (800, 400),
        "small": (400, 200),
        "thumbnail": (200, 200),
    }


def test_a_small_picture_is_left_small(tmp_path: Path) -> None:
    made = rendered(tmp_path, picture_bytes(size=(50, 40)), list(DEFAULT_PRESETS.values()))
    assert {(variant.width, variant.height) for variant in made} == {(50, 40), (40, 40)}
