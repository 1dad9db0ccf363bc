"""Tasks whose worker is gone: found, and taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from service.events import after_commit
from service.models import Task
from service.tasks.rows.chains import cancel_next
from service.tasks.rows.clock import time_of
from service.tasks.rows.statements import (
    RELEASED,
    changed,
    detail_of,
    failed_with,
    is_running,
    mine,
    note,
    row_of,
)
from service.tasks.rows.stopping import cancel_running
from service.tasks.words import Ended, Failure, TaskRow


def lost(
    session: Session, dead_workers: Sequence[str], at: datetime | None = None
) -> list[TaskRow]:
    """Running tasks whose lease has run out or whose worker is known to be dead."""
    gone = or_(Task.lease_until < (at or time_of(session)), Task.worker.in_(dead_workers))
    return [row_of(task) for task in session.scalars(select(Task).where(*is_running, gone))]


def workers(session: Session) -> set[str]:
    """The workers that running tasks name."""
    return {name for name in session.scalars(select(Task.worker).where(*is_running)) if name}


def rescue(
    session: Session, task: TaskRow, max_crashes: int, at: datetime | None = None
) -> list[Ended] | None:
    """Take a lost task from its dead worker: back to the queue, or failed after too many crashes.

    A crash spends no attempt; it is counted by itself, so that a task that kills its process
    cannot do so for ever. What comes next runs in a child process, which it may kill instead. A
    task that was asked to stop is cancelled instead.
    Returns what ended by it, or None if somebody else was quicker.
    """
    at = at or time_of(session)
    if stopped := cancel_running(session, task, at):
        return stopped
    crashes = task.crashes + 1
    message = f"The process died {crashes} times during this task."
    failure = Failure("worker_lost", message, crashed=True, isolates=True)
    if crashes < max_crashes:
        values = {"status": "queued", "attempt": Task.attempt - 1, **RELEASED}
        values |= {"crashes": crashes, "isolated": True}
    else:
        values = failed_with(task, failure) | {"status": "failed", "finished_at": at}
    if not changed(session, mine(task).values(**values)):
        return None
    detail = {"attempt": task.attempt, "crashes": crashes, "worker": task.worker}
    note(session, at, (task.id, "rescued", detail))
    after_commit(session, "task.rescued", outcome=values["status"])
    if crashes < max_crashes:
        return []
    note(session, at, (task.id, "failed", detail_of(task, failure)))
    ended = Ended(task.kind, task.payload, failure.code, failure.message)
    return [ended, *cancel_next(session, task.id, at)]
