"""Who runs isolated, and what of a child's words is believed."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from service.config import Settings
from service.errors import PictureTooLarge
from service.imaging import Rendered
from service.isolation.calls import Raised, Value
from service.isolation.frames import HEAD, data_of, packed
from service.kinds import KINDS
from service.processing import process, process_item
from service.runtime import check
from service.tasks import Isolation, Lane, Registry
from service.tasks.registry import isolated_as
from service.tasks.rows import TaskRow
from tests.unit.test_rows import add, claim_one

THREAD, PROCESS = Isolation.THREAD, Isolation.PROCESS


@pytest.mark.parametrize(
    ("words", "images", "items"),
    [
        ((), THREAD, THREAD),
        (("thread",), THREAD, THREAD),
        (("process",), PROCESS, PROCESS),
        (("image.process=process",), PROCESS, THREAD),
        (("item.process=thread", "process"), PROCESS, THREAD),
    ],
)
def test_the_setting_says_where_each_kind_works(
    words: tuple[str, ...], images: Isolation, items: Isolation
) -> None:
    chosen = {kind.name: kind.isolation for kind in isolated_as(KINDS, words)}

    assert (chosen[process.name], chosen[process_item.name]) == (images, items)
    assert {chosen[kind.name] for kind in KINDS if kind.lane is Lane.LIGHT} == {THREAD}


def test_without_the_setting_a_kinds_own_word_counts() -> None:
    own = replace(process, isolation=PROCESS)

    assert isolated_as([own], ())[0].isolation is PROCESS
    assert isolated_as([own], ("thread",))[0].isolation is THREAD


@pytest.mark.parametrize(
    "word", ["yes", "image.process", "image.process=", "no.such=process", "image.erase=process"]
)
def test_a_setting_that_means_nothing_ends_the_start(word: str) -> None:
    with pytest.raises(ValueError, match="PIXMILL_ISOLATION") as refused:
        check(Settings(isolation=word), KINDS)

    assert repr(word) in str(refused.value)


def row(session: Session, **changes: object) -> TaskRow:
    return replace(claim_one(session, add(session)), **changes)  # type: ignore[arg-type]


def test_an_attempt_is_isolated_by_its_kind_or_its_row_if_it_needs_a_place(
    session: Session,
) -> None:
    registry = Registry([process, replace(process_item, isolation=PROCESS), KINDS[2]])
    one = row(session)

    isolated = {
        (kind, by_row): registry.is_isolated(replace(one, kind=kind, isolated=by_row))
        for kind in ("image.process", "item.process", "image.erase", "no.such")
        for by_row in (False, True)
    }

    assert {what for what, yes in isolated.items() if yes} == {
        ("image.process", True),
        ("item.process", False),
        ("item.process", True),
    }


VARIANT = Rendered("small", 4, 3, "jpeg", "image/jpeg", b"\xff\xd8", "#aabbcc")


@pytest.mark.parametrize("value", [None, 1, 1.5, "ü", b"x", [1, {"a": (2, {3})}], VARIANT, PROCESS])
def test_data_comes_back_as_it_was(value: object) -> None:
    assert data_of(packed(Value(value))[HEAD.size :]) == Value(value)


def test_an_error_comes_back_with_all_it_says() -> None:
    error = PictureTooLarge("Too many.", limit=3, actual=4)

    raised = data_of(packed(Raised(error))[HEAD.size :])

    assert isinstance(raised, Raised)
    assert vars(raised.error) == vars(error)
    assert str(raised.error) == "Too many."


class _Calls:
    def __init__(self, *what: object) -> None:
        self.what = what

    def __reduce__(self) -> tuple[object, ...]:
        return self.what[0], self.what[1:]


@pytest.mark.parametrize(
    "value",
    [
        _Calls(os.system, "true"),
        _Calls(eval, "1"),
        _Calls(getattr, "x", "upper"),
        _Calls(SystemExit, 1),
        os.system,
        type,
    ],
    ids=["system", "eval", "getattr", "exit", "function", "class"],
)
def test_what_could_do_more_than_hold_values_is_refused(value: object) -> None:
    with pytest.raises(pickle.UnpicklingError, match="no data"):
        data_of(packed(Value(value))[HEAD.size :])
