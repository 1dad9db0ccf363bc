"""The tree in the docstring of `service.errors` is the tree of its classes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from service import errors
from service.errors import ServiceError

Line = tuple[int, str, int, str, bool]
DRAWN = re.compile(
    r"^(?P<branch>[│ ]*[├└]── )(?P<name>\w+)(?: +(?P<status>\d+) +(?P<code>\w+)(?P<yes> +yes)?)?$"
)


def drawn() -> list[dict[str, str | None]]:
    lines = (errors.__doc__ or "").splitlines()
    found = [match.groupdict() for line in lines if (match := DRAWN.match(line[4:]))]
    assert found, "no tree in the docstring"
    return found


def classes(root: type[ServiceError]) -> Iterator[type[ServiceError]]:
    """The subclasses that `service.errors` defines, in the order of their definition."""
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from classes(child)


def leaves() -> list[type[ServiceError]]:
    return [one for one in classes(ServiceError) if not list(classes(one))]


def depth(error: type[ServiceError]) -> int:
    return error.__mro__.index(ServiceError)


def test_the_drawn_tree_has_every_class_in_its_place() -> None:
    shown = [(len(str(line["branch"])) // 4, line["name"]) for line in drawn()]

    assert shown == [(depth(one), one.__name__) for one in classes(ServiceError)]


def test_the_drawn_statuses_codes_and_retry_rules_are_the_classes_own() -> None:
    shown = [
        (line["name"], int(line["status"]), line["code"], bool(line["yes"]))
        for line in drawn()
        if line["status"]
    ]

    assert shown == [(one.__name__, one.status, one.code, one.transient) for one in leaves()]


def test_every_code_is_unique() -> None:
    codes = [one.code for one in leaves()]

    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("error", leaves(), ids=lambda one: one.__name__)
def test_every_error_has_a_code_and_a_title_of_its_own(error: type[ServiceError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    assert error.code != ServiceError.code
    assert error.title != ServiceError.title
    assert 400 <= error.status < 600


def test_no_error_of_a_picture_is_worth_another_attempt() -> None:
    assert not any(one.transient for one in classes(errors.PictureError))


def test_every_lack_of_room_is() -> None:
    assert all(one.transient for one in classes(errors.CapacityError))


def test_an_error_keeps_what_the_problem_document_shows() -> None:
    error = errors.TooLarge("x", field="file", limit=1, actual=2, retry_after_seconds=3)

    assert str(error) == error.detail == "x"
    assert (error.field, error.limit, error.actual, error.retry_after_seconds) == ("file", 1, 2, 3)
