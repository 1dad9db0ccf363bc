"""One writer, many readers: what is shared, what is undone, and what a caller is told."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, func, select, text
from sqlalchemy.orm import Session

from service import database as module
from service.database import Database, open_database
from service.errors import DatabaseFailed, DiskFull, NotFound
from service.events import Event, Events, after_commit
from service.inserts import add_rows
from service.models import Base, Item, now
from tests.servers import PATIENCE

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pixmill.db"


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
async def database(path: Path, events: Events, anyio_backend: str) -> AsyncIterator[Database]:
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    database = open_database(f"sqlite:///{path}", events)
    yield database
    await asyncio.to_thread(database.close)


def add(session: Session, item_id: str) -> str:
    add_rows(session, Item, {"id": item_id, "created_at": now()})
    after_commit(session, "added", id=item_id)
    return item_id


def add_and_fail(session: Session, item_id: str) -> None:
    add(session, item_id)
    raise NotFound(f"no {item_id}")


def ids(session: Session) -> list[str]:
    return list(session.scalars(select(Item.id).order_by(Item.id)))


def seen_by_another(path: Path) -> list[str]:
    """What is committed, as a connection that is not ours sees it."""
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT id FROM items ORDER BY id")]
    finally:
        connection.close()


class Gate:
    """Work that holds the writer until it is opened, so that other work queues behind it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def work(self, session: Session) -> None:
        self.entered.set()
        assert self.opened.wait(PATIENCE)

    async def hold(self, database: Database) -> asyncio.Task[None]:
        held = asyncio.create_task(database.write(self.work))
        assert await asyncio.to_thread(self.entered.wait, PATIENCE)
        return held


async def begun(*_: asyncio.Task[Any]) -> None:
    """Let the event loop run each up to its first wait: what they write is queued then."""
    await asyncio.sleep(0)


async def test_a_write_is_committed_when_it_returns(database: Database, path: Path) -> None:
    assert await database.write(add, "a") == "a"

    assert seen_by_another(path) == ["a"]


async def test_writes_that_wait_together_share_one_commit(database: Database, path: Path) -> None:
    commits: list[None] = []
    event.listen(database.engine, "commit", lambda _: commits.append(None))
    gate = Gate()
    held = await gate.hold(database)
    writes = [asyncio.create_task(database.write(add, f"{n:02}")) for n in range(20)]
    await begun(*writes)
    gate.opened.set()

    await asyncio.gather(held, *writes)

    assert len(commits) == 2
    assert len(seen_by_another(path)) == 20


async def test_an_error_undoes_its_own_write_and_no_other(
    database: Database, path: Path, events: Events
) -> None:
    published: list[Event] = []
    events.subscribe(published.append)
    gate = Gate()
    held = await gate.hold(database)
    writes = [
        asyncio.create_task(database.write(add, "a")),
        asyncio.create_task(database.write(add_and_fail, "b")),
        asyncio.create_task(database.write(add, "c")),
    ]
    await begun(*writes)
    gate.opened.set()

    await held
    first, second, third = await asyncio.gather(*writes, return_exceptions=True)

    assert (first, third) == ("a", "c")
    assert isinstance(second, NotFound)
    assert seen_by_another(path) == ["a", "c"]
    assert [one.fields["id"] for one in published] == ["a", "c"]


async def test_an_error_of_the_database_itself_is_the_callers_alone(
    database: Database, path: Path
) -> None:
    """A row that is there already, in one transaction with rows that are new."""
    await database.write(add, "a")
    gate = Gate()
    held = await gate.hold(database)
    writes = [asyncio.create_task(database.write(add, one)) for one in ("b", "a", "c")]
    await begun(*writes)
    gate.opened.set()

    await held
    answers = await asyncio.gather(*writes, return_exceptions=True)

    assert answers[0::2] == ["b", "c"]
    assert isinstance(answers[1], Exception)
    assert seen_by_another(path) == ["a", "b", "c"]


async def test_events_are_told_after_the_commit_and_before_the_answer(
    database: Database, path: Path, events: Events
) -> None:
    seen: list[list[str]] = []
    events.subscribe(lambda _: seen.append(seen_by_another(path)))

    await database.write(add, "a")

    assert seen == [["a"]]


async def test_events_of_a_write_that_fails_are_not_told(
    database: Database, events: Events
) -> None:
    published: list[Event] = []
    events.subscribe(published.append)

    with pytest.raises(NotFound):
        await database.write(add_and_fail, "a")

    assert published == []
    assert await database.read(ids) == []


async def test_a_write_that_was_cancelled_in_the_queue_is_not_carried_out(
    database: Database, path: Path
) -> None:
    gate = Gate()
    held = await gate.hold(database)
    waiting = asyncio.create_task(database.write(add, "a"))
    await begun(waiting)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    gate.opened.set()

    await held
    await database.write(add, "b")

    assert seen_by_another(path) == ["b"]


async def test_a_write_that_was_cancelled_while_it_ran_is_kept_whole(
    database: Database, path: Path
) -> None:
    gate = Gate()

    def slow(session: Session) -> str:
        gate.work(session)
        return add(session, "a")

    running = asyncio.create_task(database.write(slow))
    assert await asyncio.to_thread(gate.entered.wait, PATIENCE)
    running.cancel()
    gate.opened.set()
    await asyncio.gather(running, return_exceptions=True)

    await database.write(add, "b")

    assert seen_by_another(path) == ["a", "b"]


async def test_closing_finishes_what_is_queued(path: Path, database: Database) -> None:
    other = open_database(f"sqlite:///{path}")
    gate = Gate()
    held = await gate.hold(other)
    writes = [asyncio.create_task(other.write(add, f"{n}")) for n in range(5)]
    await begun(*writes)
    closing = asyncio.create_task(asyncio.to_thread(other.close))
    gate.opened.set()

    await asyncio.gather(held, closing, *writes)

    assert seen_by_another(path) == ["0", "1", "2", "3", "4"]


async def test_a_read_sees_what_was_written_before_it(database: Database) -> None:
    await asyncio.gather(*(database.write(add, f"{n}") for n in range(3)))

    assert await database.read(ids) == ["0", "1", "2"]


async def test_what_a_read_writes_is_not_kept(database: Database) -> None:
    await database.read(add, "a")

    assert await database.read(ids) == []


async def test_reads_go_on_while_a_write_is_under_way(database: Database) -> None:
    gate = Gate()
    held = await gate.hold(database)

    assert await database.read(ids) == []

    gate.opened.set()
    await held


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Databases opened from now on wait for a lock no longer than this."""
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)


async def test_a_locked_database_is_told_as_such_and_works_again_afterwards(
    impatient: None, database: Database, path: Path
) -> None:
    assert await database.read(ids) == []  # from here on the file is in WAL mode
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")

    with pytest.raises(DatabaseFailed) as failed:
        await database.write(add, "a")
    assert failed.value.transient
    assert await database.read(ids) == []

    lock.execute("ROLLBACK")
    lock.close()
    assert await database.write(add, "a") == "a"


async def test_a_database_without_room_is_told_as_such(path: Path, database: Database) -> None:
    full = open_database(f"sqlite:///{path}")
    pages = (await database.read(lambda s: s.scalar(text("PRAGMA page_count")))) or 0
    event.listen(full.engine, "connect", lambda c, _: c.execute(f"PRAGMA max_page_count={pages}"))

    def add_much(session: Session) -> None:
        for n in range(2_000):
            add(session, f"{n:060}")

    with pytest.raises(DiskFull):
        await full.write(add_much)

    assert await database.read(lambda s: s.scalar(select(func.count(Item.id)))) == 0
    await asyncio.to_thread(full.close)


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
)
async def test_sqlite_is_used_durably(database: Database, pragma: str, value: object) -> None:
    assert await database.read(lambda s: s.scalar(text(f"PRAGMA {pragma}"))) == value


async def test_two_processes_databases_write_by_turns(database: Database, path: Path) -> None:
    other = open_database(f"sqlite:///{path}")

    await asyncio.gather(
        *(one.write(add, f"{name}{n}") for n in range(20) for name, one in
          (("a", database), ("b", other)))
    )  # fmt: skip

    assert len(seen_by_another(path)) == 40
    await asyncio.to_thread(other.close)
