"""Carry out one task: claim, handle, record in one transaction, publish.

`run` is what every engine calls with an id, `carry_out` what it does once the row is claimed. The
row decides: a task that is gone, taken, cancelled or not yet due is simply not claimed.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Protocol

from sqlalchemy.orm import Session

from service.errors import (
    CapacityError,
    OutOfMemory,
    ServiceError,
    TaskCancelled,
    TimeLimitExceeded,
    WorkerCrashed,
)
from service.events import Event
from service.logs import bind_ids, logger
from service.runtime import Runtime
from service.tasks import rows
from service.tasks.registry import Outcome
from service.tasks.retry import is_transient
from service.tasks.words import Failure, TaskRow
from service.tasks.work import TIME_LIMIT, Cancellation, Place, Work

log = logger(__name__)

#: Two reports of progress that a row keeps are at least this far apart, in seconds.
PROGRESS_SECONDS = 0.5
#: Pause before an end that the database did not take is written again, in seconds.
RECORD_PAUSE_SECONDS = 0.5
#: What costs more than its attempt where nothing contains it.
HARMFUL = (TimeLimitExceeded, WorkerCrashed, OutOfMemory)
#: What a row keeps of a traceback and of a message, in characters.
MAX_TRACEBACK = 16_000
MAX_MESSAGE = 2_000


class Site(Protocol):
    """Where tasks are run: a worker's name, and its places for blocking work."""

    @property
    def worker(self) -> str:
        """The name the rows of its running tasks carry."""
        ...

    @property
    def threads(self) -> Place:
        """Where its handlers' blocking work goes."""
        ...

    @property
    def children(self) -> Place:
        """Where that goes of attempts that run isolated."""
        ...


async def run(
    runtime: Runtime, site: Site, task_id: str, cancelled: Cancellation | None = None
) -> bool:
    """Claim the task and carry it out; False if it is not there to be claimed."""
    task = await _claimed(runtime, site, task_id)
    if task is None:
        return False
    await carry_out(runtime, site, task, cancelled or Cancellation())
    return True


async def _claimed(runtime: Runtime, site: Site, task_id: str) -> TaskRow | None:
    """The task, if it could be claimed. An interruption does not leave it with nobody."""
    claiming = asyncio.ensure_future(
        runtime.database.write_unsynced(
            rows.claim_one,
            task_id,
            worker=site.worker,
            lease_seconds=runtime.settings.lease_seconds,
        )
    )
    try:
        return await asyncio.shield(claiming)
    except asyncio.CancelledError:
        if task := await claiming:
            await runtime.database.write(partial(_let_go, runtime, task))
        raise


async def carry_out(runtime: Runtime, site: Site, task: TaskRow, cancelled: Cancellation) -> None:
    """Run a claimed task's handler and record how it ended.

    Raises nothing but the interruption by a stop, after which the task is back in the queue.
    What the row asks for is done through `cancelled`, and is an end like the others.
    """
    bind_ids(task_id=task.id, kind=task.kind, attempt=task.attempt, request_id=task.request_id)
    started = time.perf_counter()
    outcome = "lease_lost"
    try:
        outcome = await _handle_and_record(runtime, site, task, cancelled)
    except asyncio.CancelledError:
        letting_go = runtime.database.write(partial(_let_go, runtime, task))
        outcome = await asyncio.shield(letting_go)
        raise
    finally:
        _publish(runtime, task, outcome, time.perf_counter() - started)


async def _handle_and_record(
    runtime: Runtime, site: Site, task: TaskRow, cancelled: Cancellation
) -> str:
    try:
        async with cancelled.heeded():
            outcome = await _attempt(runtime, site, task, cancelled)
        return await _record_success(runtime, task, outcome)
    except TaskCancelled:
        return await _recorded(runtime, partial(_let_go, runtime, task))
    except Exception as error:  # noqa: BLE001 - whatever a handler raises belongs in its row
        return await _record_failure(runtime, task, error)


async def _attempt(runtime: Runtime, site: Site, task: TaskRow, cancelled: Cancellation) -> Outcome:
    kind = runtime.registry[task.kind]
    work = Work(
        task=task,
        settings=runtime.settings,
        database=runtime.database,
        uploads=runtime.uploads,
        processed=runtime.processed,
        notifiers=runtime.notifiers,
        metrics=runtime.metrics,
        memory=runtime.memory,
        place=site.children if runtime.registry.is_isolated(task) else site.threads,
        progress=_progress(runtime, task),
        cancelled=cancelled,
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
    """A report function that writes to the row no more often than PROGRESS_SECONDS.

    A report that the database does not take is left out: it is no reason to fail.
    """
    written = time.monotonic()

    async def report(fraction: float) -> None:
        nonlocal written
        if time.monotonic() - written >= PROGRESS_SECONDS:
            written = time.monotonic()
            with suppress(CapacityError):
                await runtime.database.write_unsynced(rows.report_progress, task, fraction)

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
    failure = _failure(runtime, task, error)
    wait = _wait(runtime, task, failure, error)

    def record(session: Session) -> str:
        if _is_cancelled(runtime, task, session):
            return "cancelled"
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
    if failure.crashed:
        runtime.metrics.crashes.labels(failure.code).inc()
    if ended != "cancelled":
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


def _wait(runtime: Runtime, task: TaskRow, failure: Failure, error: Exception) -> timedelta | None:
    """How long until the next attempt, or None if there is none."""
    if not is_transient(error) or task.attempt >= task.max_attempts:
        return None
    if failure.crashed and task.crashes + 1 >= runtime.settings.max_crashes:
        return None
    return runtime.registry[task.kind].retry.wait(task.attempt)


def _let_go(runtime: Runtime, task: TaskRow, session: Session) -> str:
    """Record an attempt that was interrupted: the row says whether somebody cancelled it."""
    if _is_cancelled(runtime, task, session):
        return "cancelled"
    return "given_back" if rows.give_back(session, task) else "lease_lost"


def _is_cancelled(runtime: Runtime, task: TaskRow, session: Session) -> bool:
    """Whether the row asked for a stop, which has come now."""
    ended = rows.cancel_running(session, task)
    runtime.registry.tell(session, ended)
    return bool(ended)


def _failure(runtime: Runtime, task: TaskRow, error: Exception) -> Failure:
    """What the row keeps of an error; one that did harm sends further attempts to a child process,
    and is a crash if it happened there."""
    code = error.code if isinstance(error, ServiceError) else type(error).__name__
    trace = "".join(traceback.format_exception(error))[-MAX_TRACEBACK:]
    message = str(error)[:MAX_MESSAGE] or type(error).__name__
    harmful = isinstance(error, HARMFUL) and runtime.registry.can_isolate(task)
    crashed = harmful and runtime.registry.is_isolated(task)
    return Failure(code, message, trace, crashed=crashed, isolates=harmful)


def _publish(runtime: Runtime, task: TaskRow, outcome: str, run_seconds: float) -> None:
    wait_seconds = max(0.0, (task.started_at - task.run_at).total_seconds())
    isolated = runtime.registry.is_isolated(task)
    fields = {"id": task.id, "kind": task.kind, "outcome": outcome, "isolated": isolated}
    timing = {"run_seconds": run_seconds, "wait_seconds": wait_seconds}
    runtime.events.publish(Event("task.ended", fields | timing))
    log.info("task_ended", outcome=outcome, run_seconds=round(run_seconds, 4))
