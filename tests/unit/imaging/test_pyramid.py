"""Which size at hand a variant is taken from."""

from __future__ import annotations

from service.imaging.pyramid import MARGIN, Level, Pyramid, Wanted
from service.imaging.window import Size, whole
from tests.pictures import photo

PICTURE = (1000, 500)


def wanted(*size: int) -> Wanted:
    return Wanted(PICTURE, whole(PICTURE), (size[0], size[1]))


def pyramid(*sizes: Size) -> Pyramid:
    return Pyramid(tuple(Level(photo(size), whole(size)) for size in sizes))


def test_the_smallest_level_with_the_margin_serves() -> None:
    levels = pyramid(PICTURE, (640, 320), (320, 160))
    assert MARGIN == 1.4
    assert levels.source_of(wanted(228, 114)) is levels.levels[2]
    assert levels.source_of(wanted(230, 115)) is levels.levels[1]
    assert levels.source_of(wanted(457, 228)) is levels.levels[1]
    assert levels.source_of(wanted(500, 250)) is levels.levels[0]
    assert levels.source_of(wanted(900, 450)) is levels.levels[0]


def test_the_very_size_serves_itself() -> None:
    levels = pyramid(PICTURE, (640, 320))
    assert levels.source_of(wanted(640, 320)) is levels.levels[1]
    assert levels.take(wanted(640, 320))[0].tobytes() == photo((640, 320)).tobytes()


def test_whole_reductions_become_levels_and_parts_do_not() -> None:
    levels = pyramid(PICTURE)
    _, after = levels.take(wanted(400, 200))
    assert [level.image.size for level in after.levels] == [PICTURE, (400, 200)]
    _, same = after.take(Wanted(PICTURE, (250.0, 0.0, 750.0, 500.0), (100, 100)))
    assert same is after


def test_idle_levels_are_let_go() -> None:
    levels = pyramid(PICTURE, (640, 320), (320, 160))
    kept = levels.kept_for([wanted(450, 225), wanted(100, 50)])
    assert [level.image.size for level in kept.levels] == [(640, 320), (320, 160)]
    assert levels.kept_for([]).levels == ()
