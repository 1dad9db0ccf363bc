"""What only SQLite has: its lock, its file's end, its pragmas."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.orm import Session

from service.database import Database, open_database, sqlite
from service.errors import DatabaseFailed, DiskFull
from service.models import Item
from tests.unit.test_database import add, database, events, ids

__all__ = ["database", "events"]

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("backend", ["sqlite"], indirect=True),
]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Databases opened from now on wait for a lock no longer than this."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)


async def test_a_locked_database_is_told_as_such_and_works_again_afterwards(
    impatient: None, database: Database, database_url: str
) -> None:
    assert await database.read(ids) == []  # from here on the file is in WAL mode
    lock = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")

    with pytest.raises(DatabaseFailed) as failed:
        await database.write(add, "a")
    assert failed.value.transient
    assert await database.read(ids) == []

    lock.execute("ROLLBACK")
    lock.close()
    assert await database.write(add, "a") == "a"


async def test_a_database_without_room_is_told_as_such(
    database_url: str, database: Database
) -> None:
    full = open_database(database_url)
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


async def test_a_connection_that_can_only_read_is_replaced(
    database: Database, database_url: str
) -> None:
    """As SQLite opens one while the disk fails; it stays so when the disk is well again."""
    await database.write(add, "a")  # the file is there, and in WAL mode
    path = database_url.removeprefix("sqlite:///")
    opened = 0

    def connect(*_: object) -> sqlite3.Connection | None:
        nonlocal opened
        opened += 1
        if opened > 1:
            return None  # as usual
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)

    other = open_database(database_url)
    event.listen(other.engine, "do_connect", connect)
    try:
        assert await other.write(add, "b") == "b"
        assert await other.read(ids) == ["a", "b"]
    finally:
        await asyncio.to_thread(other.close)
    assert opened == 2
