"""Writers and readers: what is shared, what is undone, and what a caller is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import create_engine, event, select, text
from sqlalchemy.orm import Session

from service import items
from service.database import Database, open_database
from service.errors import NotFound
from service.events import Event, Events, after_commit
from service.inserts import add_rows
from service.models import Item, now
from tests.servers import PATIENCE

pytestmark = pytest.mark.anyio

#: What tells how a transaction's commit is waited for; what it says where it is, and where not.
WAITS = {
    "sqlite": ("PRAGMA synchronous", 2, 1),
    "postgresql": ("SHOW synchronous_commit", "on", "off"),
}


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
async def database(
    database_url: str, events: Events, anyio_backend: str
) -> AsyncIterator[Database]:
    database = open_database(database_url, events)
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


def seen_by_another(url: str) -> list[str]:
    """What is committed, as a connection that is not ours sees it."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        with engine.connect() as connection:
            return list(connection.scalars(text("SELECT id FROM items ORDER BY id")))
    finally:
        engine.dispose()


class Gate:
    """Work that holds all writers until it is opened, so that other work queues behind it."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()

    def work(self, session: Session) -> None:
        self.entered.release()
        assert self.opened.wait(PATIENCE)

    async def hold(self, database: Database) -> asyncio.Future[Any]:
        return asyncio.gather(
            *[await self.hold_one(database) for _ in range(database.backend.WRITERS)]
        )

    async def hold_one(self, database: Database) -> asyncio.Task[Any]:
        held = asyncio.create_task(database.write(self.work))
        assert await asyncio.to_thread(self.entered.acquire, timeout=PATIENCE)
        return held


async def begun(*_: asyncio.Task[Any]) -> None:
    """Let the event loop run each up to its first wait: what they write is queued then."""
    await asyncio.sleep(0)


async def test_a_write_is_committed_when_it_returns(database: Database, database_url: str) -> None:
    assert await database.write(add, "a") == "a"

    assert seen_by_another(database_url) == ["a"]


async def test_writes_that_wait_together_share_one_commit(
    database: Database, database_url: str
) -> None:
    commits: list[None] = []
    event.listen(database.engine, "commit", lambda _: commits.append(None))
    gate = Gate()
    held = await gate.hold(database)
    writes = [asyncio.create_task(database.write(add, f"{n:02}")) for n in range(20)]
    await begun(*writes)
    gate.opened.set()

    await asyncio.gather(held, *writes)

    assert len(commits) <= 2 * database.backend.WRITERS
    assert len(seen_by_another(database_url)) == 20


async def test_an_error_undoes_its_own_write_and_no_other(
    database: Database, database_url: str, events: Events
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
    assert seen_by_another(database_url) == ["a", "c"]
    assert sorted(one.fields["id"] for one in published) == ["a", "c"]


async def test_an_error_of_the_database_itself_is_the_callers_alone(
    database: Database, database_url: str
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
    assert seen_by_another(database_url) == ["a", "b", "c"]


async def test_events_are_told_after_the_commit_and_before_the_answer(
    database: Database, database_url: str, events: Events
) -> None:
    seen: list[list[str]] = []
    events.subscribe(lambda _: seen.append(seen_by_another(database_url)))

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
    database: Database, database_url: str
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

    assert seen_by_another(database_url) == ["b"]


async def test_a_write_that_was_cancelled_while_it_ran_is_kept_whole(
    database: Database, database_url: str
) -> None:
    gate = Gate()

    def slow(session: Session) -> str:
        gate.work(session)
        return add(session, "a")

    running = asyncio.create_task(database.write(slow))
    assert await asyncio.to_thread(gate.entered.acquire, timeout=PATIENCE)
    running.cancel()
    gate.opened.set()
    await asyncio.gather(running, return_exceptions=True)

    await database.write(add, "b")

    assert seen_by_another(database_url) == ["a", "b"]


async def test_closing_finishes_what_is_queued(database_url: str, database: Database) -> None:
    other = open_database(database_url)
    gate = Gate()
    held = await gate.hold(other)
    writes = [asyncio.create_task(other.write(add, f"{n}")) for n in range(5)]
    await begun(*writes)
    closing = asyncio.create_task(asyncio.to_thread(other.close))
    gate.opened.set()

    await asyncio.gather(held, closing, *writes)

    assert seen_by_another(database_url) == ["0", "1", "2", "3", "4"]


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


async def test_two_processes_databases_write_by_turns(
    database: Database, database_url: str
) -> None:
    other = open_database(database_url)

    await asyncio.gather(
        *(one.write(add, f"{name}{n}") for n in range(20) for name, one in
          (("a", database), ("b", other)))
    )  # fmt: skip

    assert len(seen_by_another(database_url)) == 40
    await asyncio.to_thread(other.close)


async def test_two_who_insert_the_same_row_at_once_both_succeed(
    database: Database, database_url: str
) -> None:
    other = open_database(database_url)

    await asyncio.gather(
        *(one.write(items.ensure, f"{n}") for n in range(20) for one in (database, other))
    )

    assert len(await database.read(ids)) == 20
    await asyncio.to_thread(other.close)


async def test_a_read_sees_one_state_from_its_first_statement_to_its_last(
    database: Database,
) -> None:
    gate = Gate()

    def look_twice(session: Session) -> tuple[list[str], list[str]]:
        before = ids(session)
        gate.work(session)
        return before, ids(session)

    reading = asyncio.create_task(database.read(look_twice))
    assert await asyncio.to_thread(gate.entered.acquire, timeout=PATIENCE)
    await database.write(add, "a")
    gate.opened.set()

    assert await reading == ([], [])


async def test_only_what_a_loss_of_power_may_undo_is_not_waited_for(
    database: Database, database_url: str
) -> None:
    asks, synced, unsynced = WAITS[database_url.partition(":")[0]]

    def waits(session: Session) -> Any:
        return session.execute(text(asks)).scalar()

    assert await database.write(waits) == synced
    assert await database.write_unsynced(waits) == unsynced
    assert await database.write(waits) == synced, "on the connection that did not wait"
    await database.write_unsynced(add, "seen")
    assert seen_by_another(database_url) == ["seen"]


async def test_one_write_that_must_be_on_the_disk_is_enough_for_all_that_share_its_commit(
    database: Database, database_url: str
) -> None:
    asks, synced, _ = WAITS[database_url.partition(":")[0]]
    gates = [Gate() for _ in range(database.backend.WRITERS)]
    held = [await gate.hold_one(database) for gate in gates]
    together = [
        asyncio.create_task(write)
        for write in (
            database.write_unsynced(lambda session: session.execute(text(asks)).scalar()),
            database.write(add, "durable"),
        )
    ]
    await begun(*together)
    gates[0].opened.set()  # so that one writer takes both

    assert await asyncio.gather(*together) == [synced, "durable"]
    for gate in gates:
        gate.opened.set()
    await asyncio.gather(*held)
