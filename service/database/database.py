"""Writers and readers: what is shared, what is undone, what is answered and when."""

from __future__ import annotations

import asyncio
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service.database.addresses import READERS
from service.database.base import Backend
from service.errors import CapacityError, DatabaseFailed
from service.events import Event, Events

P = ParamSpec("P")
T = TypeVar("T")

#: Writes that may share one commit.
MAX_BATCH = 64
#: Pauses after conflicts, in seconds, on average: whoever goes on is to have its rows before us,
#: and two who met are not to meet again.
CONFLICT_SECONDS = (0.02, 0.04, 0.08, 0.16)


@dataclass(frozen=True)
class _Job:
    """One piece of work on its way to the writer, and where its result goes."""

    work: Callable[[Session], Any]
    result: asyncio.Future[Any]
    #: Whether it is answered once it is on the disk, or once it is committed.
    durable: bool


class Database:
    """Open with `open_database`; close when done."""

    def __init__(self, engine: Engine, backend: Backend, events: Events) -> None:
        self.engine = engine
        self.backend = backend
        self._events = events
        self._turn = backend.open_turn(engine.url)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._writers = [
            threading.Thread(target=self._serve, name=f"writer-{number}", daemon=True)
            for number in range(backend.WRITERS)
        ]
        for writer in self._writers:
            writer.start()

    async def write(
        self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work` in a transaction and return its result once that is committed and synced.

        Raises: whatever `work` raises; DatabaseFailed or DiskFull when the database cannot.
        """
        return await self._written(lambda session: work(session, *args, **kwargs), durable=True)

    async def write_unsynced(
        self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `write`, for what a loss of power may undo: committed, but not waited for on the disk.

        The next write that is synced takes it along. No crash of this process undoes it.
        """
        return await self._written(lambda session: work(session, *args, **kwargs), durable=False)

    async def _written(self, work: Callable[[Session], T], *, durable: bool) -> T:
        if not all(writer.is_alive() for writer in self._writers):
            raise DatabaseFailed("The database is closed.")
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(work, result, durable))
        return await result

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
        """Finish what is queued, then let go of the database."""
        self._jobs.put(None)
        for writer in self._writers:
            writer.join()
        self._readers.shutdown()
        self.engine.dispose()
        self._turn.close()

    def _read(self, work: Callable[[Session], T]) -> T:
        try:
            with self.engine.connect() as connection:
                connection.execution_options(**self.backend.READING)
                with Session(connection) as session:
                    return work(session)
        except SQLAlchemyError as error:
            raise self._named(error) from error

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch = [job]
            while len(batch) < MAX_BATCH and (more := self._next_waiting()) is not None:
                batch.append(more)
            self._commit(batch)
        self._jobs.put(None)  # for the other writers

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
        batch = [job for job in batch if not job.result.cancelled()]
        try:
            answers = self._once(batch)
        except Exception as error:  # noqa: BLE001 - everything is undone
            answers = self._undone(batch, error)
        self._answer(batch, [self._told(answer) for answer in answers])

    def _undone(self, batch: list[_Job], error: Exception) -> list[_Answer]:
        """What to answer when a batch failed: an error of one job's is found by running each, and
        each by itself meets fewer others."""
        if self.backend.is_conflict(error):
            _step_back(CONFLICT_SECONDS[0])
        elif self._is_its_own(error):
            return [_Answer(error=error) for _ in batch]  # again is no better
        return [self._alone(job) for job in batch]

    def _is_its_own(self, error: Exception) -> bool:
        """Whether the database cannot, on whatever connection."""
        named = self.backend.named(error)
        return isinstance(named, CapacityError) and not self.backend.is_connections(error)

    def _alone(self, job: _Job) -> _Answer:
        """Carry out one job, again and again while another transaction is in the way."""
        for pause in CONFLICT_SECONDS:
            answer = self._tried(job)
            if answer.error is None or not self.backend.is_conflict(answer.error):
                return answer
            _step_back(pause)
        return self._tried(job)

    def _tried(self, job: _Job) -> _Answer:
        try:
            (answer,) = self._once([job])
        except Exception as error:  # noqa: BLE001 - it belongs to the caller
            return _Answer(error=error)
        return answer

    def _once(self, batch: list[_Job]) -> list[_Answer]:
        durable = any(job.durable for job in batch)
        with self._turn, self.engine.connect() as connection:
            connection.execution_options(**self.backend.WRITING, durable=durable)
            with connection.begin():
                return [_carry_out(connection, job.work) for job in batch]

    def _told(self, answer: _Answer) -> _Answer:
        """Publish what was done; name what went wrong."""
        if answer.error is not None:
            return _Answer(error=self._named(answer.error))
        for event in answer.events:
            self._events.publish(event)
        return answer

    def _answer(self, batch: list[_Job], answers: list[_Answer]) -> None:
        """Wake each event loop once, with all that is answered there."""
        answered = list(zip(batch, answers, strict=True))
        for loop in {job.result.get_loop() for job in batch}:
            here = [(job, answer) for job, answer in answered if job.result.get_loop() is loop]
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, here)

    def _named(self, error: BaseException) -> BaseException:
        """Our error for one of the driver's; all others as they are."""
        return self.backend.named(error) or error


@dataclass(frozen=True)
class _Answer:
    """What became of one job of a batch."""

    value: Any = None
    error: BaseException | None = None
    events: Sequence[Event] = ()


def _step_back(seconds: float) -> None:
    time.sleep(random.SystemRandom().uniform(0, 2 * seconds))


def _settle(answered: Sequence[tuple[_Job, _Answer]]) -> None:
    for job, answer in answered:
        if job.result.done():  # whoever waited has gone
            continue
        if answer.error is not None:
            job.result.set_exception(answer.error)
        else:
            job.result.set_result(answer.value)


def _carry_out(connection: Connection, work: Callable[[Session], Any]) -> _Answer:
    with Session(connection, join_transaction_mode="rollback_only") as session:
        value = work(session)
        session.flush()
        return _Answer(value, events=session.info.get("events", ()))
