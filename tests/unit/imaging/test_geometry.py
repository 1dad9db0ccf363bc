"""Sizes, by property: inside the box, in proportion, never scaled up unasked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.imaging.geometry import place
from service.imaging.words import Fit, Resize

sides = st.integers(1, 16_384)
sources = st.tuples(sides, sides)


@st.composite
def resizes(draw: st.DrawFn, fit: Fit | None = None, both: bool = False) -> Resize:
    width = draw(sides if both else st.none() | sides)
    height = draw(sides if both or width is None else st.none() | sides)
    return Resize(
        width=width,
        height=height,
        fit=fit or draw(st.sampled_from(Fit)),
        enlarge=draw(st.booleans()),
    )


@given(sources, resizes())
def test_every_placement_is_sound(source: tuple[int, int], resize: Resize) -> None:
    placed = place(source, resize)
    left, top, right, bottom = placed.box
    assert 0 <= left < right <= source[0]
    assert 0 <= top < bottom <= source[1]
    for axis in (0, 1):
        assert placed.scaled[axis] >= 1
        assert placed.offset[axis] >= 0
        assert placed.offset[axis] + placed.scaled[axis] <= placed.size[axis]


@given(sources, resizes())
def test_nothing_grows_unless_asked(source: tuple[int, int], resize: Resize) -> None:
    placed = place(source, resize)
    if not resize.enlarge:
        assert placed.scaled[0] <= source[0]
        assert placed.scaled[1] <= source[1]


@given(sources, resizes(Fit.INSIDE, both=True))
def test_inside_lies_in_the_box_and_touches_it(source: tuple[int, int], resize: Resize) -> None:
    width, height = place(source, resize).size
    assert width <= (resize.width or 0)
    assert height <= (resize.height or 0)
    assert width == resize.width or height == resize.height or (width, height) == source


@given(sources, resizes(Fit.OUTSIDE, both=True))
def test_outside_covers_the_box_and_touches_it(source: tuple[int, int], resize: Resize) -> None:
    width, height = place(source, resize).size
    if (width, height) != source or resize.enlarge:
        assert width >= (resize.width or 0)
        assert height >= (resize.height or 0)
        assert width == resize.width or height == resize.height


@given(sources, resizes(both=True), st.sampled_from([Fit.INSIDE, Fit.OUTSIDE]))
def test_proportions_hold_to_half_a_pixel(
    source: tuple[int, int], resize: Resize, fit: Fit
) -> None:
    size = place(source, resize.model_copy(update={"fit": fit})).size
    exact = (size[1] * source[0] / source[1], size[0] * source[1] / source[0])
    assert any(abs(size[axis] - max(1, exact[axis])) <= 0.5 for axis in (0, 1))


@given(sources, resizes(Fit.COVER, both=True))
def test_cover_takes_as_much_as_has_the_proportions(
    source: tuple[int, int], resize: Resize
) -> None:
    placed = place(source, resize)
    left, top, right, bottom = placed.box
    assert (right - left) * placed.size[1] == pytest.approx((bottom - top) * placed.size[0])
    assert left == 0 or top == 0
    assert (left, top) == pytest.approx((source[0] - right, source[1] - bottom))
    if resize.enlarge or ((resize.width or 0) <= source[0] and (resize.height or 0) <= source[1]):
        assert placed.size == (resize.width, resize.height)


@given(sources, resizes(Fit.CONTAIN, both=True))
def test_contain_always_has_the_size_asked_for(source: tuple[int, int], resize: Resize) -> None:
    placed = place(source, resize)
    assert placed.size == (resize.width, resize.height)
    for axis in (0, 1):
        before = placed.offset[axis]
        after = placed.size[axis] - placed.scaled[axis] - before
        assert 0 <= after - before <= 1


@pytest.mark.parametrize(
    ("source", "resize", "size"),
    [
        ((4000, 3000), {"width": 1600, "height": 1600}, (1600, 1200)),
        ((3000, 4000), {"width": 1600, "height": 1600}, (1200, 1600)),
        ((4000, 3000), {"width": 200, "height": 200, "fit": "cover"}, (200, 200)),
        ((150, 100), {"width": 200, "height": 200, "fit": "cover"}, (100, 100)),
        ((150, 100), {"width": 200, "height": 200, "fit": "cover", "enlarge": True}, (200, 200)),
        ((150, 100), {"width": 200, "height": 200}, (150, 100)),
        ((150, 100), {"width": 300, "height": 300, "enlarge": True}, (300, 200)),
        ((4000, 3000), {"width": 800}, (800, 600)),
        ((4000, 3000), {"height": 300, "fit": "cover"}, (400, 300)),
        ((4000, 3000), {"width": 400, "height": 400, "fit": "outside"}, (533, 400)),
        ((4000, 3000), {"width": 400, "height": 400, "fit": "fill"}, (400, 400)),
        ((150, 100), {"width": 400, "height": 50, "fit": "fill"}, (150, 50)),
        ((4000, 3000), {"width": 400, "height": 400, "fit": "contain"}, (400, 400)),
        ((10_000, 1), {"width": 100}, (100, 1)),
    ],
)
def test_sizes_one_would_expect(
    source: tuple[int, int], resize: dict[str, object], size: tuple[int, int]
) -> None:
    assert place(source, Resize.model_validate(resize)).size == size
