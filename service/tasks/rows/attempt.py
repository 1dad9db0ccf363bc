"""One attempt at a task: claimed, kept alive, and ended in one of four ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from service.models import TASKS, Task, new_id, now
from service.tasks.registry import Lane
from service.tasks.rows.chains import cancel_next, release_next
from service.tasks.rows.statements import (
    RELEASED,
    changed,
    detail_of,
    failed_with,
    is_due,
    is_running,
    mine,
    note,
    row_of,
    running,
)
from service.tasks.words import Ended, Failure, TaskRow

#: Looked for after every end of a task: built once, and past the mapper.
_DUE = (
    select(TASKS.c.id)
    .where(is_due, TASKS.c.run_at <= bindparam("at"))
    .where(TASKS.c.lane == bindparam("lane"))
    .order_by(TASKS.c.priority, TASKS.c.run_at, TASKS.c.id)
    .limit(bindparam("limit"))
)


def claim(
    session: Session,
    *,
    worker: str,
    limit: int,
    lease_seconds: float,
    lane: Lane = Lane.LIGHT,
    only: str | None = None,
    at: datetime | None = None,
) -> list[TaskRow]:
    """Take up to `limit` due tasks of a lane, the most urgent first, or the one named `only`."""
    at = at or now()
    token = new_id()
    if only is None:
        found = {"at": at, "lane": lane.value, "limit": limit}
        ids = list(session.connection().scalars(_DUE, found))
    else:
        ids = [only]
    if not ids:
        return []
    claimed = session.execute(
        update(Task)
        .where(Task.id.in_(ids), is_due, Task.run_at <= at)
        .values(
            status="running",
            attempt=Task.attempt + 1,
            worker=worker,
            lease_token=token,
            lease_until=at + timedelta(seconds=lease_seconds),
            started_at=at,
            progress=0.0,
        )
        .returning(Task)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).scalars()
    rows = sorted((row_of(task) for task in claimed), key=lambda row: ids.index(row.id))
    notes = ((row.id, "claimed", {"attempt": row.attempt, "worker": worker}) for row in rows)
    note(session, at, *notes)
    return rows


def is_held(session: Session, task: TaskRow) -> bool:
    """Whether an attempt still holds its lease, and will to the end of a writing transaction."""
    held = select(Task.id).where(
        *is_running, Task.id == task.id, Task.lease_token == task.lease_token
    )
    return session.scalar(held.with_for_update()) is not None  # SQLite has one writer anyway


def renew(
    session: Session, tokens: Sequence[str], lease_seconds: float, at: datetime | None = None
) -> None:
    """Extend the leases of what still runs."""
    until = (at or now()) + timedelta(seconds=lease_seconds)
    session.execute(running(Task.lease_token.in_(tokens)).values(lease_until=until))


def report_progress(session: Session, task: TaskRow, fraction: float) -> None:
    """Keep how far a running task is, from 0 to 1."""
    session.execute(mine(task).values(progress=min(1.0, max(0.0, fraction))))


def succeed(
    session: Session, task: TaskRow, result: Mapping[str, Any] | None, at: datetime | None = None
) -> bool:
    """Record the end of the work and let the next of the chain go; False if the lease is lost."""
    at = at or now()
    done = mine(task).values(
        status="succeeded",
        progress=1.0,
        result=dict(result) if result is not None else None,
        finished_at=at,
        error_code=None,
        error_message=None,
        error_traceback=None,
        **RELEASED,
    )
    if not changed(session, done):
        return False
    note(session, at, (task.id, "succeeded", {"attempt": task.attempt}))
    release_next(session, task.id, at)
    return True


def retry_later(
    session: Session, task: TaskRow, failure: Failure, wait: timedelta, at: datetime | None = None
) -> bool:
    """Record a failed attempt that another one may mend; False if the lease is lost."""
    at = at or now()
    values = failed_with(failure) | {"status": "retrying", "run_at": at + wait}
    if not changed(session, mine(task).values(**values)):
        return False
    detail = detail_of(task, failure) | {"wait_seconds": round(wait.total_seconds(), 3)}
    note(session, at, (task.id, "attempt_failed", detail))
    return True


def fail(
    session: Session, task: TaskRow, failure: Failure, at: datetime | None = None
) -> list[Ended]:
    """Record the last failed attempt and cancel what waits for this task.

    Returns all that ended by it; nothing if the lease is lost.
    """
    at = at or now()
    values = failed_with(failure) | {"status": "failed", "finished_at": at}
    if not changed(session, mine(task).values(**values)):
        return []
    note(session, at, (task.id, "failed", detail_of(task, failure)))
    ended = Ended(task.kind, task.payload, failure.code, failure.message)
    return [ended, *cancel_next(session, task.id, at)]


def give_back(session: Session, task: TaskRow, at: datetime | None = None) -> bool:
    """Return a running task to the queue without spending its attempt."""
    at = at or now()
    back = mine(task).values(status="queued", attempt=Task.attempt - 1, **RELEASED)
    if not changed(session, back):
        return False
    note(session, at, (task.id, "given_back", {"attempt": task.attempt}))
    return True
