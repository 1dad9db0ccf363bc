"""Carry out one task: claim, handle, record in one transaction, publish.

`run` is what every engine calls with an id, `carry_out` what it does once the row is claimed. The
row decides: a task that is gone, taken, cancelled or not yet due is simply not claimed.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

import structlog
from sqlalchemy.orm import Session

from service.errors import CapacityError, ServiceError, TimeLimitExceeded
from service.events import Event
from service.runtime import Runtime
from service.tasks import rows
from service.tasks.registry import Kind, Outcome
from service.tasks.retry import is_transient
from service.tasks.words import Failure, TaskRow
from service.tasks.work import TIME_LIMIT, Threads, Work

log = structlog.get_logger(__name__)

#: Two reports of progress that a row keeps are at least this far apart, in seconds.
PROGRESS_SECONDS = 0.5
#: Pause before an end that the database did not take is written again, in seconds.
RECORD_PAUSE_SECONDS = 0.5
#: What a row keeps of a traceback and of a message, in characters.
MAX_TRACEBACK = 16_000
MAX_MESSAGE = 2_000


class Site(Protocol):
    """Where tasks are run: a worker's name and its threads."""

    @property
    def worker(self) -> str:
        """The name the rows of its running tasks carry."""
        ...

    @property
    def threads(self) -> Threads:
        """Where its handlers' blocking work goes."""
        ...


async def run(runtime: Runtime, site: Site, task_id: str) -> bool:
    """Claim the task and carry it out; False if it is not there to be claimed."""
    claimed = await _claimed(runtime, site, task_id)
    for task in claimed:
        await carry_out(runtime, site, task)
    return bool(claimed)


async def _claimed(runtime: Runtime, site: Site, task_id: str) -> list[TaskRow]:
    """The task, if it could be claimed. An interruption does not leave it with nobody."""
    claiming = asyncio.ensure_future(
        runtime.database.write(
            rows.claim,
            worker=site.worker,
            limit=1,
            lease_seconds=runtime.settings.lease_seconds,
            only=task_id,
        )
    )
    try:
        return await asyncio.shield(claiming)
    except asyncio.CancelledError:
        for task in await claiming:
            await _give_back(runtime, task)
        raise


async def carry_out(runtime: Runtime, site: Site, task: TaskRow) -> None:
    """Run a claimed task's handler and record how it ended. Raises nothing but a cancellation."""
    structlog.contextvars.bind_contextvars(
        task_id=task.id, kind=task.kind, attempt=task.attempt, request_id=task.request_id
    )
    started = time.perf_counter()
    outcome = "lease_lost"
    try:
        outcome = await _handle_and_record(runtime, site, task)
    except asyncio.CancelledError:
        outcome = await asyncio.shield(_give_back(runtime, task))
        raise
    finally:
        _publish(runtime, task, outcome, time.perf_counter() - started)


async def _handle_and_record(runtime: Runtime, site: Site, task: TaskRow) -> str:
    try:
        outcome = await _attempt(runtime, site, runtime.registry[task.kind], task)
        return await _record_success(runtime, task, outcome)
    except Exception as error:  # noqa: BLE001 - whatever a handler raises belongs in its row
        return await _record_failure(runtime, task, error)


async def _attempt(runtime: Runtime, site: Site, kind: Kind, task: TaskRow) -> Outcome:
    work = Work(
        task=task,
        settings=runtime.settings,
        database=runtime.database,
        uploads=runtime.uploads,
        processed=runtime.processed,
        notifiers=runtime.notifiers,
        metrics=runtime.metrics,
        threads=site.threads,
        progress=_progress(runtime, task),
    )
    limit = asyncio.timeout(kind.time_limit)
    try:
        async with limit:
            TIME_LIMIT.set(limit)
            return await kind.handler(work, **task.payload) or Outcome()
    except TimeoutError:
        if limit.expired():
            raise TimeLimitExceeded(f"The attempt ran longer than {kind.time_limit:g} s.") from None
        raise


def _progress(runtime: Runtime, task: TaskRow) -> Callable[[float], Awaitable[None]]:
    """A report function that writes to the row no more often than PROGRESS_SECONDS."""
    written = time.monotonic()

    async def report(fraction: float) -> None:
        nonlocal written
        if time.monotonic() - written >= PROGRESS_SECONDS:
            written = time.monotonic()
            await runtime.database.write(rows.report_progress, task, fraction)

    return report


async def _record_success(runtime: Runtime, task: TaskRow, outcome: Outcome) -> str:
    def record(session: Session) -> str:
        if not rows.succeed(session, task, outcome.result):
            return "lease_lost"
        if outcome.record:
            outcome.record(session)
        return "succeeded"

    return await _recorded(runtime, record)


async def _record_failure(runtime: Runtime, task: TaskRow, error: Exception) -> str:
    failure = _failure(error)
    wait = _wait(runtime, task, error)

    def record(session: Session) -> str:
        if wait is not None:
            kept = rows.retry_later(session, task, failure, wait)
            return "retrying" if kept else "lease_lost"
        ended = rows.fail(session, task, failure)
        runtime.registry.tell(session, ended)
        return "failed" if ended else "lease_lost"

    try:
        ended = await _recorded(runtime, record)
    except CapacityError:
        # The lease runs out and the sweep takes the task up again.
        log.exception("task_not_recorded")
        return "lease_lost"
    log.warning("task_attempt_failed", outcome=ended, code=failure.code, error=failure.message)
    return ended


async def _recorded(runtime: Runtime, record: Callable[[Session], str]) -> str:
    """Write how an attempt ended; while the database is out, as long as the lease holds."""
    until = time.monotonic() + runtime.settings.lease_seconds
    while True:
        try:
            return await runtime.database.write(record)
        except CapacityError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(RECORD_PAUSE_SECONDS)


def _wait(runtime: Runtime, task: TaskRow, error: Exception) -> timedelta | None:
    """How long until the next attempt, or None if there is none."""
    if not is_transient(error) or task.attempt >= task.max_attempts:
        return None
    return runtime.registry[task.kind].retry.wait(task.attempt)


async def _give_back(runtime: Runtime, task: TaskRow) -> str:
    kept = await runtime.database.write(rows.give_back, task)
    return "given_back" if kept else "lease_lost"


def _failure(error: Exception) -> Failure:
    code = error.code if isinstance(error, ServiceError) else type(error).__name__
    trace = "".join(traceback.format_exception(error))[-MAX_TRACEBACK:]
    return Failure(code, str(error)[:MAX_MESSAGE] or type(error).__name__, trace)


def _publish(runtime: Runtime, task: TaskRow, outcome: str, run_seconds: float) -> None:
    wait_seconds = max(0.0, (task.started_at - task.run_at).total_seconds())
    fields = {"id": task.id, "kind": task.kind, "outcome": outcome}
    timing = {"run_seconds": run_seconds, "wait_seconds": wait_seconds}
    runtime.events.publish(Event("task.ended", fields | timing))
    log.info("task_ended", outcome=outcome, run_seconds=round(run_seconds, 4))
