"""What a follower is told of the rows: everything, once, whoever commits when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeVar

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from service.database import backend_of, open_engine
from service.inserts import add_rows
from service.models import TaskEvent, now
from service.tasks import Priority, enqueue, rows, task
from service.tasks.rows import changes
from service.tasks.rows.changes import Changes, Known, Position
from tests.servers import until

T = TypeVar("T")


@task("test.changes")
async def nothing(work: object) -> None:
    """Nothing."""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


class Following:
    """A follower, look by look."""

    def __init__(self, engine: Engine, url: str) -> None:
        self._engine = engine
        self._reading = backend_of(url).READING
        self.known = self._read(changes.begin)

    def look(self) -> Changes:
        found = self._read(lambda session: changes.look(session, self.known))
        self.known = found.known
        return found

    def missed(self, since: Position) -> list[str] | None:
        found = self._read(lambda session: changes.missed(session, since))
        return None if found is None else list(found)

    def _read(self, work: Callable[[Session], T]) -> T:
        with self._engine.connect() as connection:
            connection.execution_options(**self._reading)
            with Session(connection) as session:
                return work(session)


@pytest.fixture
def following(engine: Engine, database_url: str) -> Following:
    return Following(engine, database_url)


def add(engine: Engine, **changes: object) -> str:
    with Session(engine) as session, session.begin():
        return enqueue(session, nothing, {}, **changes)  # type: ignore[arg-type]


def note(session: Session, task_id: str) -> None:
    add_rows(session, TaskEvent, {"task_id": task_id, "at": now(), "kind": "x", "detail": {}})
    session.flush()


def test_a_new_task_and_each_line_are_told_once(engine: Engine, following: Following) -> None:
    first, second = add(engine), add(engine)

    assert following.look().ids == sorted([first, second])
    assert following.look().ids == []

    with Session(engine) as session, session.begin():
        rows.cancel(session, first)
    assert following.look().ids == [first]
    assert [following.look().ids for _ in range(3)] == [[], [], []]


def test_who_begins_is_told_nothing_of_the_past(
    engine: Engine, following: Following, database_url: str
) -> None:
    old = add(engine)
    with Session(engine) as session, session.begin():
        rows.cancel(session, old)

    late = Following(engine, database_url)
    assert late.look().ids == []
    assert following.look().ids == [old]


#: SQLite has one writer at a time.
several_writers = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)


@several_writers
def test_a_line_that_is_committed_after_a_later_one_is_not_missed(
    engine: Engine, following: Following
) -> None:
    slow, quick = add(engine), add(engine)
    following.look()
    with Session(engine) as earlier:
        rows.prioritise(earlier, slow, Priority.HIGH)  # holds its row, and has its number
        for _ in range(3):
            with Session(engine) as session, session.begin():
                note(session, quick)
            assert following.look().ids == [quick]
        earlier.commit()

    assert following.look().ids == [slow]
    assert following.look().ids == []


@several_writers
def test_a_line_that_was_under_way_when_somebody_began_is_not_missed(
    engine: Engine, database_url: str
) -> None:
    slow, quick = add(engine), add(engine)
    with Session(engine) as earlier:
        note(earlier, slow)
        with Session(engine) as session, session.begin():
            note(session, quick)
        following = Following(engine, database_url)
        assert following.look().ids == []
        earlier.commit()

    assert following.look().ids == [slow]


def test_a_position_settles_once_nothing_can_come_before_it(
    engine: Engine, following: Following
) -> None:
    task_id = add(engine)
    for _ in range(3):
        with Session(engine) as session, session.begin():
            note(session, task_id)
        following.look()
    newest = following.known.newest

    def settled() -> bool:
        following.look()
        return following.known.position.line == newest

    assert newest > 0
    # PostgreSQL counts the transactions of all its databases: other tests hold this one up.
    until(settled, "the newest line settled")
    assert following.known.ahead == frozenset()


def test_progress_is_told_when_it_moves(engine: Engine, following: Following) -> None:
    task_id = add(engine)
    with Session(engine) as session, session.begin():
        claimed = rows.claim_one(session, task_id, worker="w", lease_seconds=30)
        assert claimed
    following.look()
    assert following.look().ids == []

    with Session(engine) as session, session.begin():
        rows.report_progress(session, claimed, 0.5)

    assert following.look().ids == [task_id]
    assert following.look().ids == []


def test_too_much_is_not_told_and_nothing_is_lost_after_it(
    engine: Engine, following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "MOST_LINES", 2)
    task_id = add(engine)
    following.look()
    with Session(engine) as session, session.begin():
        for _ in range(3):
            note(session, task_id)

    assert following.look().ids is None
    assert following.look().ids == []
    with Session(engine) as session, session.begin():
        note(session, task_id)
    assert following.look().ids == [task_id]


def test_lines_that_are_numbered_anew_are_no_silence(engine: Engine, following: Following) -> None:
    """SQLite does so when the last one was pruned."""
    task_id = add(engine)
    with Session(engine) as session, session.begin():
        note(session, task_id)
    known = following.look().known
    following.known = Known(Position(known.position.line + 1_000, known.position.at))

    assert following.look().ids is None
    with Session(engine) as session, session.begin():
        note(session, task_id)
    assert following.look().ids == [task_id]


def test_who_comes_back_is_told_what_was_missed(engine: Engine, following: Following) -> None:
    old = add(engine)
    following.look()
    following.look()
    here = following.known.position
    new, scheduled = add(engine), add(engine, run_at=now() + timedelta(hours=1))

    missed = following.missed(Position.parse(str(here)) or here)

    assert missed is not None
    assert {new, scheduled} <= set(missed) <= {old, new, scheduled}
    assert following.missed(Position(here.line + 1_000, here.at)) is None


@pytest.mark.parametrize("text", ["", "1", "1.", ".1", "-1.1", "1.1.1", "²1.1", "1." + "9" * 14])
def test_what_is_no_position_is_none(text: str) -> None:
    assert Position.parse(text) is None
