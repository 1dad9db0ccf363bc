"""What only PostgreSQL has: a server that restarts, and writers who meet."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from service.database import Database, open_database
from service.errors import DatabaseFailed, DiskFull, Invalid
from service.holding import hold
from service.models import Item, Task, now
from service.tasks import rows
from service.tasks.registry import Lane
from tests import postgres
from tests.postgres import Server
from tests.servers import PATIENCE, until
from tests.unit.test_database import add, ids
from tests.unit.test_rows import TEST

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("backend", ["postgresql"], indirect=True),
]


@pytest.fixture
async def database(database_url: str, anyio_backend: str) -> AsyncIterator[Database]:
    database = open_database(database_url)
    yield database
    await asyncio.to_thread(database.close)


def claim(session: Session) -> list[str]:
    return [task.id for task in rows.claim(session, {Lane.LIGHT: 1}, worker="w", lease_seconds=30)]


def run(session: Session, statement: str) -> None:
    session.execute(text(statement))


# Writers who meet


class Meeting:
    """Two transactions that wait for each other at one point, in their first run."""

    def __init__(self) -> None:
        self.barrier = threading.Barrier(2)
        self.runs = 0

    def take(self, session: Session, first: str, second: str) -> None:
        self.runs += 1
        hold(session, Item, first)
        if self.runs <= 2:
            self.barrier.wait(PATIENCE)
        hold(session, Item, second)


async def test_of_two_writers_in_a_deadlock_both_succeed(
    database: Database, database_url: str
) -> None:
    other = open_database(database_url)
    for item_id in ("a", "b"):
        await database.write(add, item_id)
    meeting = Meeting()

    await asyncio.gather(
        database.write(meeting.take, "a", "b"), other.write(meeting.take, "b", "a")
    )

    assert meeting.runs > 2, "neither was in the other's way"
    await asyncio.to_thread(other.close)


async def test_a_writer_who_is_crossed_again_and_again_succeeds_at_last(
    database: Database, database_url: str
) -> None:
    """Each time by another one, who notices a deadlock later and so goes on."""
    for item_id in ("a", "b"):
        await database.write(add, item_id)
    hasty = open_database(f"{database_url}?options=-c%20deadlock_timeout%3D10ms")
    others: list[threading.Thread] = []

    def take_both(session: Session) -> int:
        hold(session, Item, "a")
        if len(others) < 3:
            others.append(cross(database_url))
        hold(session, Item, "b")
        return len(others)

    # With something else in its batch, which has to be done as well.
    crossed, beside = await asyncio.gather(hasty.write(take_both), hasty.write(add, "c"))

    assert (crossed, beside) == (3, "c")
    for other in others:
        await asyncio.to_thread(other.join, PATIENCE)
    await asyncio.to_thread(hasty.close)


def cross(database_url: str) -> threading.Thread:
    """Somebody who has `b` and waits for `a` by the time this returns."""
    take = "SELECT id FROM items WHERE id = %s FOR UPDATE"
    other = psycopg.connect(f"{database_url}?options=-c%20deadlock_timeout%3D30s")
    other.execute(take, ["b"])

    def go_on() -> None:
        with other:
            other.execute(take, ["a"])

    thread = threading.Thread(target=go_on)
    thread.start()
    with psycopg.connect(database_url, autocommit=True) as looking:
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND pid = %s"
        until(lambda: looking.execute(waiting, [other.info.backend_pid]).fetchone(), "the wait")
    return thread


async def test_a_renewal_waits_for_nobody(database: Database, database_url: str) -> None:
    held, free = [await database.write(rows.enqueue, TEST, {}) for _ in range(2)]
    taken = await database.write(rows.claim, {Lane.LIGHT: 2}, worker="w", lease_seconds=1)
    before = await database.read(leases)
    with psycopg.connect(database_url) as other:
        other.execute("SELECT 1 FROM tasks WHERE id = %s FOR UPDATE", [held])

        await database.write(rows.renew, [task.lease_token for task in taken], 60)

    after = await database.read(leases)
    assert after[held] == before[held]
    assert after[free] > before[free] + timedelta(seconds=30)


def leases(session: Session) -> dict[str, datetime]:
    found = session.execute(select(Task.id, Task.lease_until))
    return {task_id: until for task_id, until in found if until}


async def test_a_row_that_somebody_holds_too_long_is_told_as_a_database_that_failed(
    database: Database, database_url: str
) -> None:
    await database.write(add, "a")
    impatient = open_database(f"{database_url}?options=-c%20lock_timeout%3D50ms")
    with psycopg.connect(database_url) as other:
        other.execute("SELECT 1 FROM items FOR UPDATE")

        with pytest.raises(DatabaseFailed) as failed:
            await impatient.write(hold, Item, "a")

    assert failed.value.transient
    assert not failed.value.in_doubt
    assert await impatient.write(add, "b") == "b"
    await asyncio.to_thread(impatient.close)


async def test_a_claim_passes_over_what_another_one_is_taking(
    database: Database, database_url: str
) -> None:
    first, second = [await database.write(rows.enqueue, TEST, {}) for _ in range(2)]
    with psycopg.connect(database_url) as other:
        other.execute("SELECT 1 FROM tasks WHERE id = %s FOR UPDATE", [first])

        assert await database.write(claim) == [second]
        assert await database.write(claim) == []

    assert await database.write(claim) == [first]


async def test_a_task_that_is_being_claimed_is_asked_to_stop(database: Database) -> None:
    task_id = await database.write(rows.enqueue, TEST, {})
    claimed, finish = threading.Event(), threading.Event()

    def claim_slowly(session: Session) -> list[str]:
        ids = claim(session)
        claimed.set()
        assert finish.wait(PATIENCE)
        return ids

    claiming = asyncio.create_task(database.write(claim_slowly))
    assert await asyncio.to_thread(claimed.wait, PATIENCE)
    cancelling = asyncio.create_task(database.write(rows.cancel, task_id))
    await waits_for_a_lock(database)
    finish.set()

    assert await claiming == [task_id]
    assert await cancelling == [], "it runs: the wish is noted, and its worker will end it"
    assert await database.read(rows.asked_to_stop, [task_id]) == [task_id]


async def waits_for_a_lock(database: Database) -> None:
    # Of this database: the server has those of other tests too.
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(PATIENCE):
        while not await database.read(lambda session: session.scalar(waiting)):
            await asyncio.sleep(0.01)


# The server's clock


async def test_due_times_and_leases_go_by_the_servers_clock(
    database: Database, database_url: str
) -> None:
    """The server of the second database goes an hour fast, as its own machine's clock might."""
    with psycopg.connect(database_url) as operator:
        operator.execute("CREATE SCHEMA IF NOT EXISTS fast")
        operator.execute(
            "CREATE OR REPLACE FUNCTION fast.clock_timestamp() RETURNS timestamptz "
            "LANGUAGE sql VOLATILE AS "
            "$$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$"
        )
    path = "-c%20search_path%3Dfast,pg_catalog,public"
    fast = open_database(f"{database_url}?options={path}")
    soon = now() + timedelta(minutes=59)

    task_id = await fast.write(rows.enqueue, TEST, {})

    assert await database.write(claim) == []
    (task,) = await fast.write(rows.claim, {Lane.LIGHT: 1}, worker="w", lease_seconds=30)
    assert (task.id, task.run_at > soon, task.started_at > soon) == (task_id, True, True)
    assert await fast.read(rows.lost, []) == []
    await asyncio.to_thread(fast.close)


# What it says is wrong


async def test_a_text_it_cannot_keep_is_the_callers_fault_alone(database: Database) -> None:
    answers = await asyncio.gather(
        *(database.write(add, one) for one in ("a", "b\0", "c")), return_exceptions=True
    )

    assert answers[0::2] == ["a", "c"]
    assert isinstance(answers[1], Invalid)
    with pytest.raises(Invalid):
        await database.read(hold, Item, "\0")


async def test_a_database_without_room_is_told_as_such(database: Database) -> None:
    with pytest.raises(DiskFull):
        await database.write(run, "DO $$ BEGIN RAISE 'no room' USING ERRCODE = '53100'; END $$")


async def test_a_connection_that_breaks_leaves_the_commit_in_doubt(database: Database) -> None:
    with pytest.raises(DatabaseFailed) as failed:
        await database.write(run, "SELECT pg_terminate_backend(pg_backend_pid())")

    assert failed.value.in_doubt
    assert await database.write(add, "a") == "a"


@pytest.mark.parametrize(("name", "value"), [("synchronous_commit", "on"), ("TimeZone", "UTC")])
async def test_each_connection_asks_for_what_the_service_relies_on(
    database: Database, name: str, value: str
) -> None:
    assert await database.read(lambda s: s.scalar(text(f"SHOW {name}"))) == value


# A server that restarts


@pytest.fixture
def own_server(backend: str) -> Iterator[Server]:
    """A server that this test alone uses, and may stop."""
    folder = postgres.new_folder()
    yield postgres.one_server(folder)
    postgres.remove(folder)


async def test_a_server_that_is_away_is_told_as_such_and_back_again_it_is_used(
    own_server: Server, anyio_backend: str
) -> None:
    database = open_database(own_server.create(postgres.TEMPLATE))
    await database.write(add, "a")
    assert await database.read(ids) == ["a"]

    own_server.stop()
    for ask in (lambda: database.write(add, "b"), lambda: database.read(ids)):
        with pytest.raises(DatabaseFailed):
            await ask()

    own_server.start()
    assert await database.write(add, "c") == "c"
    assert await database.read(ids) == ["a", "c"]
    await asyncio.to_thread(database.close)


async def test_connections_of_before_a_restart_are_not_used_after_it(
    own_server: Server, anyio_backend: str
) -> None:
    database = open_database(own_server.create(postgres.TEMPLATE))
    await asyncio.gather(*(database.write(add, f"{n}") for n in range(9)))

    own_server.stop("immediate")
    own_server.start()

    await asyncio.gather(*(database.write(add, f"x{n}") for n in range(9)))
    assert len(await database.read(ids)) == 18
    await asyncio.to_thread(database.close)
