"""SQLite: a file, one writer at a time, any number of readers beside it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.exc import OperationalError

from service.database.turn import NoTurn, Turn
from service.errors import DatabaseFailed, DiskFull, ServiceError

WRITERS = 1
WRITING = {"writes": True}
READING: dict[str, Any] = {}
#: How long a statement waits for another process's lock, in seconds.
BUSY_SECONDS = 10
#: How SQLite is used.
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # a commit is on the disk before the 202 that rests on it is sent
    "foreign_keys=ON",
    "temp_store=MEMORY",
    "cache_size=-1000",  # KiB; the system caches the file as well
    "wal_autocheckpoint=4000",  # pages: 16 MiB, so that few commits pay for a checkpoint
)


def check(url: URL) -> None:
    """Every URL of SQLite's can be used: Python brings the library."""


def open_engine(url: URL, connections: int) -> Engine:
    """Open the file, making its folder where it is missing."""
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, pool_size=connections, connect_args={"timeout": BUSY_SECONDS})
    sqlalchemy_event.listen(engine, "connect", _set_up_connection)
    sqlalchemy_event.listen(engine, "begin", _begin)
    sqlalchemy_event.listen(engine, "handle_error", _let_go)
    return engine


def open_turn(url: URL) -> Turn | NoTurn:
    """A lock on a file beside the database, which is in memory where the URL names none."""
    return Turn(Path(f"{url.database}.turn")) if url.database else NoTurn()


def hold_schema(connection: Connection) -> None:
    """The write lock, which every transaction that writes has from its start, is enough."""


def is_conflict(error: BaseException) -> bool:  # noqa: ARG001 - the port's
    """One writer at a time: whoever writes waited for its turn."""
    return False


def is_connections(error: BaseException) -> bool:
    """A connection that can only read."""
    return isinstance(error, OperationalError) and _is_read_only(error.orig)


def _is_read_only(error: BaseException | None) -> bool:
    """SQLite opens a file to read where it cannot be opened to write, as while the disk fails."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY


def _let_go(context: ExceptionContext) -> None:
    """A connection that can only read would fail for ever: the next one is opened anew."""
    if _is_read_only(context.original_exception):
        context.is_disconnect = True


def named(error: BaseException) -> ServiceError | None:
    """Full, or not answering in time."""
    if not isinstance(error, OperationalError):
        return None
    if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return DiskFull("The database has no room to grow.", retry_after_seconds=30)
    return DatabaseFailed("The database did not answer in time.", retry_after_seconds=5)


def describe(connection: Connection) -> str:
    """Version, journal, and whether the file is intact."""
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    intact = connection.exec_driver_sql("PRAGMA quick_check").scalar()
    return f"SQLite {sqlite3.sqlite_version}, journal {mode}, check {intact}"


def _set_up_connection(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("writes"):
        connection.exec_driver_sql("BEGIN")
        return
    _sync(connection, "FULL" if options.get("durable", True) else "NORMAL")
    # A write lock from the start: upgrading a read later fails at once instead of waiting.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _sync(connection: Connection, how: str) -> None:
    """Whether the coming commit is on the disk when it returns; the connection remembers."""
    if connection.info.get("synchronous", "FULL") != how:
        connection.exec_driver_sql(f"PRAGMA synchronous={how}")
        connection.info["synchronous"] = how
