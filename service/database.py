"""The database: plain functions on a session, run in one writer thread or in reader threads.

`await database.write(work, …)` calls `work(session, …)` inside a transaction and returns what it
returned, after the commit. Concurrent writes share one transaction and so one fsync (group
commit). If one of them fails, all are undone and each is run again by itself: so work may run
twice, though only one run is ever kept. One hop to the writer a transaction, where an
asynchronous driver needs one a statement.

`await database.read(work, …)` does the same on a snapshot that is rolled back.

Work never awaits, never commits, and leaves no object attached: it returns plain values.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from service.errors import DatabaseFailed, DiskFull
from service.events import Event, Events

P = ParamSpec("P")
T = TypeVar("T")

#: Writes that may share one commit.
MAX_BATCH = 64
#: Threads that read; a read is short, so a few serve many requests.
READERS = 3
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


@dataclass(frozen=True)
class _Job:
    """One piece of work on its way to the writer, and where its result goes."""

    work: Callable[[Session], Any]
    result: Future[Any]


class Database:
    """Open with `open_database`; close when done."""

    def __init__(self, engine: Engine, events: Events) -> None:
        self.engine = engine
        self._events = events
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._writer = threading.Thread(target=self._serve, name="writer", daemon=True)
        self._writer.start()

    async def write(
        self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work` in a transaction and return its result once that is committed and synced.

        Raises: whatever `work` raises; DatabaseFailed or DiskFull when the database cannot.
        """
        if not self._writer.is_alive():
            raise DatabaseFailed("The database is closed.")
        job = _Job(lambda session: work(session, *args, **kwargs), Future())
        self._jobs.put(job)
        result: T = await asyncio.wrap_future(job.result)
        return result

    async def read(
        self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work` on a snapshot and return its result.

        Raises: whatever `work` raises; DatabaseFailed when the database cannot.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._readers, lambda: self._read(lambda session: work(session, *args, **kwargs))
        )

    def close(self) -> None:
        """Finish what is queued, then let go of the file."""
        self._jobs.put(None)
        self._writer.join()
        self._readers.shutdown()
        self.engine.dispose()

    def _read(self, work: Callable[[Session], T]) -> T:
        try:
            with self.engine.connect() as connection, Session(connection) as session:
                return work(session)
        except SQLAlchemyError as error:
            raise _named(error) from error

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch = [job]
            while len(batch) < MAX_BATCH and (more := self._next_waiting()) is not None:
                batch.append(more)
            self._commit(batch)

    def _next_waiting(self) -> _Job | None:
        try:
            job = self._jobs.get_nowait()
        except queue.Empty:
            return None
        if job is None:
            self._jobs.put(None)  # the end stays last
        return job

    def _commit(self, batch: list[_Job]) -> None:
        """Carry out a batch in one transaction; answer each job only after the commit."""
        # From here on a caller that stops waiting can no longer take its work back.
        batch = [job for job in batch if job.result.set_running_or_notify_cancel()]
        try:
            answers = self._transact(batch)
        except OperationalError as error:  # the database's own: again would be no better
            answers = [_Answer(error=error) for _ in batch]
        except Exception:  # noqa: BLE001 - one job's: everything is undone, and each runs by itself
            answers = [self._alone(job) for job in batch]
        for job, answer in zip(batch, answers, strict=True):
            self._answer(job, answer)

    def _alone(self, job: _Job) -> _Answer:
        try:
            (answer,) = self._transact([job])
        except Exception as error:  # noqa: BLE001 - it belongs to the caller
            return _Answer(error=error)
        return answer

    def _transact(self, batch: list[_Job]) -> list[_Answer]:
        with self.engine.connect() as connection:
            connection.execution_options(writes=True)
            with connection.begin():
                return [_carry_out(connection, job.work) for job in batch]

    def _answer(self, job: _Job, answer: _Answer) -> None:
        if answer.error is not None:
            job.result.set_exception(_named(answer.error))
            return
        for event in answer.events:
            self._events.publish(event)
        job.result.set_result(answer.value)


@dataclass(frozen=True)
class _Answer:
    """What became of one job of a batch."""

    value: Any = None
    error: BaseException | None = None
    events: Sequence[Event] = ()


def _carry_out(connection: Connection, work: Callable[[Session], Any]) -> _Answer:
    with Session(connection, join_transaction_mode="rollback_only") as session:
        value = work(session)
        session.flush()
        return _Answer(value, events=session.info.get("events", ()))


def _named(error: BaseException) -> BaseException:
    """Turn the driver's errors into ours; leave all others as they are."""
    if not isinstance(error, OperationalError):
        return error
    if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return DiskFull("The database has no room to grow.", retry_after_seconds=30)
    return DatabaseFailed("The database did not answer in time.", retry_after_seconds=5)


def check_url(url: str) -> None:
    """Raises: ValueError when `url` names no database that can be used here."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("PIXMILL_DATABASE_URL must look like sqlite:///path") from None
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise ValueError("PIXMILL_DATABASE_URL must name a SQLite file: sqlite:///path")


def open_database(url: str, events: Events | None = None) -> Database:
    """Open the database at `url`, making the folder of a SQLite file where it is missing."""
    parsed = make_url(url)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, pool_size=READERS + 1, connect_args={"timeout": BUSY_SECONDS})
    sqlalchemy_event.listen(engine, "connect", _set_up_connection)
    sqlalchemy_event.listen(engine, "begin", _begin)
    return Database(engine, events or Events())


def _set_up_connection(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A write lock from the start: upgrading a read later fails at once instead of waiting.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
