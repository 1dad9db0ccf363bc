"""The database: plain functions on a session, run in writer threads or in reader threads.

`await database.write(work, …)` calls `work(session, …)` inside a transaction and returns what it
returned, after the commit. Concurrent writes share one transaction and so one fsync (group
commit). If one of them fails, all are undone and each is run again by itself: so work may run
twice, though only one run is ever kept. One hop to a writer a transaction, where an asynchronous
driver needs one a statement.

`await database.read(work, …)` does the same on a snapshot that is rolled back.

Work never awaits, never commits, and leaves no object attached: it returns plain values. What it
reads in order to write it holds (`service.holding`): on PostgreSQL others write at the same time.
"""

from __future__ import annotations

from service.database.addresses import backend_of, check_url, open_engine, without_password
from service.database.base import Backend
from service.database.database import Database
from service.events import Events

__all__ = [
    "Backend",
    "Database",
    "backend_of",
    "check_url",
    "open_database",
    "open_engine",
    "without_password",
]


def open_database(url: str, events: Events | None = None) -> Database:
    """Open the database at `url`, making the folder of a SQLite file where it is missing.

    Raises: ValueError when `url` names no database that can be used here.
    """
    return Database(open_engine(url), backend_of(url), events or Events())
