"""One attempt at a task: claimed, kept alive, and ended in one of four ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CTE, ColumnElement, bindparam, exists, select, union_all, update
from sqlalchemy.orm import Session

from service.models import TASKS, Task, new_id
from service.prepared import Prepared
from service.tasks.registry import Lane, Priority
from service.tasks.rows.chains import cancel_next, release_next
from service.tasks.rows.clock import time_of
from service.tasks.rows.constants import constant, one_of
from service.tasks.rows.statements import (
    RELEASED,
    changed,
    detail_of,
    failed_with,
    is_due,
    is_not_paused,
    is_running,
    mine,
    note,
    running,
)
from service.tasks.words import Ended, Failure, TaskRow


def _due(lane: Lane) -> CTE:
    """What a claim takes of a lane, as many as its parameter says.

    A row that another claim is taking is passed over, not waited for.
    """
    return (
        select(TASKS.c.id)
        .where(is_due, TASKS.c.run_at <= bindparam("now"))
        .where(TASKS.c.lane == constant(lane), is_not_paused)
        # Each priority by itself: what is scheduled for later is not read on the way to the next.
        .where(one_of(TASKS.c.priority, Priority))
        .order_by(TASKS.c.priority, TASKS.c.run_at, TASKS.c.id)
        .limit(bindparam(lane.value))
        .with_for_update(skip_locked=True)
        .cte(f"due_{lane}")
    )


_TAKEN = {
    "status": "running",
    "attempt": TASKS.c.attempt + 1,
    "worker": bindparam("by"),
    "lease_token": bindparam("token"),
    "lease_until": bindparam("until"),
    "started_at": bindparam("now"),
    "progress": 0.0,
    "dispatched_at": None,
}
#: In the order of the fields, so that a row makes a TaskRow.
_SEEN = [TASKS.c[field.name] for field in fields(TaskRow)]
_CLAIM = Prepared(
    update(TASKS)
    .where(TASKS.c.id.in_(union_all(*(select(_due(lane).c.id) for lane in Lane))))
    .values(_TAKEN)
    .returning(*_SEEN)
)
_CLAIM_ONE = Prepared(
    update(TASKS)
    .where(TASKS.c.id == bindparam("only"), is_due, TASKS.c.run_at <= bindparam("now"))
    .where(is_not_paused)
    .values(_TAKEN)
    .returning(*_SEEN)
)

_HELD = Prepared(
    select(TASKS.c.id)
    .where(*is_running, TASKS.c.id == bindparam("of_id"), TASKS.c.lease_token == bindparam("held"))
    .with_for_update()
)

_NEXT = TASKS.alias("next")
#: The usual end of an attempt; see `mine`. It tells whether anything waits for it: few tasks are
#: followed, and so all others are spared a statement.
_SUCCEED = Prepared(
    update(TASKS)
    .where(*is_running, TASKS.c.id == bindparam("of_id"), TASKS.c.lease_token == bindparam("held"))
    .values(
        status="succeeded",
        progress=1.0,
        result=bindparam("made"),
        finished_at=bindparam("now"),
        error_code=None,
        error_message=None,
        error_traceback=None,
        **RELEASED,
    )
    .returning(
        exists().where(
            _NEXT.c.after_id == bindparam("of_id"), _NEXT.c.status == constant("waiting")
        )
    )
)


def claim(
    session: Session,
    room: Mapping[Lane, int],
    *,
    worker: str,
    lease_seconds: float,
    at: datetime | None = None,
) -> list[TaskRow]:
    """Take due tasks, of each lane as many as it has `room` for, the most urgent first.

    Tasks of paused kinds are passed over.
    """
    wanted = {lane.value: room.get(lane, 0) for lane in Lane}
    return _taken(session, _CLAIM, wanted, worker, lease_seconds, at)


def claim_one(
    session: Session,
    task_id: str,
    *,
    worker: str,
    lease_seconds: float,
    at: datetime | None = None,
) -> TaskRow | None:
    """Take that task; None if it is gone, taken, paused, or not due."""
    taken = _taken(session, _CLAIM_ONE, {"only": task_id}, worker, lease_seconds, at)
    return taken[0] if taken else None


def _taken(
    session: Session,
    statement: Prepared,
    wanted: Mapping[str, Any],
    worker: str,
    lease_seconds: float,
    at: datetime | None,
) -> list[TaskRow]:
    at = at or time_of(session)
    until = at + timedelta(seconds=lease_seconds)
    taking = {"now": at, "by": worker, "token": new_id(), "until": until, **wanted}
    rows = [TaskRow(*row) for row in statement.rows(session, taking)]
    rows.sort(key=lambda row: (row.priority, row.run_at, row.id))
    notes = ((row.id, "claimed", {"attempt": row.attempt, "worker": worker}) for row in rows)
    note(session, at, *notes)
    return rows


def is_held(session: Session, task: TaskRow) -> bool:
    """Whether an attempt still holds its lease, and will to the end of a writing transaction."""
    wanted = {"of_id": task.id, "held": task.lease_token}
    return _HELD.first(session, wanted) is not None  # SQLite has one writer anyway


def renew(
    session: Session, tokens: Sequence[str], lease_seconds: float, at: datetime | None = None
) -> None:
    """Extend the leases of what still runs."""
    _extend(session, Task.lease_token.in_(tokens), at or time_of(session), lease_seconds)


def renew_all(session: Session, worker: str, lease_seconds: float) -> None:
    """Extend the leases of all that a worker runs."""
    _extend(session, Task.worker == worker, time_of(session), lease_seconds)


def _extend(
    session: Session, which: ColumnElement[bool], at: datetime, lease_seconds: float
) -> None:
    """What another transaction holds is ending, or will be there at the next time: who waited for
    it, holding others, would be in the way of whoever ends those."""
    free = select(TASKS.c.id).where(*is_running, which).with_for_update(skip_locked=True)
    extended = running(TASKS.c.id.in_(free))
    session.connection().execute(extended.values(lease_until=at + timedelta(seconds=lease_seconds)))


def report_progress(session: Session, task: TaskRow, fraction: float) -> None:
    """Keep how far a running task is, from 0 to 1."""
    session.execute(mine(task).values(progress=min(1.0, max(0.0, fraction))))


def succeed(
    session: Session, task: TaskRow, result: Mapping[str, Any] | None, at: datetime | None = None
) -> bool:
    """Record the end of the work and let the next of the chain go; False if the lease is lost."""
    at = at or time_of(session)
    made = dict(result) if result is not None else None
    wanted = {"of_id": task.id, "held": task.lease_token, "made": made, "now": at}
    recorded = _SUCCEED.first(session, wanted)
    if recorded is None:
        return False
    note(session, at, (task.id, "succeeded", {"attempt": task.attempt}))
    if any(recorded):
        release_next(session, task.id, at)
    return True


def retry_later(
    session: Session, task: TaskRow, failure: Failure, wait: timedelta, at: datetime | None = None
) -> bool:
    """Record a failed attempt that another one may mend; False if the lease is lost."""
    at = at or time_of(session)
    values = failed_with(task, failure) | {"status": "retrying", "run_at": at + wait}
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
    at = at or time_of(session)
    values = failed_with(task, failure) | {"status": "failed", "finished_at": at}
    if not changed(session, mine(task).values(**values)):
        return []
    note(session, at, (task.id, "failed", detail_of(task, failure)))
    ended = Ended(task.kind, task.payload, failure.code, failure.message)
    return [ended, *cancel_next(session, task.id, at)]


def give_back(session: Session, task: TaskRow, at: datetime | None = None) -> bool:
    """Return a running task to the queue without spending its attempt."""
    at = at or time_of(session)
    back = mine(task).values(status="queued", attempt=Task.attempt - 1, **RELEASED)
    if not changed(session, back):
        return False
    note(session, at, (task.id, "given_back", {"attempt": task.attempt}))
    return True
