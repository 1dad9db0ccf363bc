"""Every statement on the task table. Nothing else changes a task's status.

    waiting ──▶ queued ──▶ running ──▶ succeeded
                  ▲  ▲        │├────▶ failed ──(retry by hand)──▶ queued
                  │  └retrying◀┘│
                  └─(given back)┘
    waiting | queued | retrying ──▶ cancelled

A claim is compare-and-set: it takes rows that are due, counts the attempt and leaves a lease with
a token. Every later change of a running row names that token, so a late attempt changes nothing.
All functions work on the caller's session and leave the commit to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, func, literal, or_, select, update
from sqlalchemy.orm import Session

from service.errors import NotFound, WrongState
from service.events import after_commit
from service.models import Task, TaskEvent, add_rows, new_id, now
from service.tasks.registry import Kind, Lane, Priority

STATUSES = ("waiting", "queued", "running", "retrying", "succeeded", "failed", "cancelled")
#: Due as soon as `run_at` has come.
DUE = ("queued", "retrying")
#: Not finished: what the depth of the queue counts, and what a stop must not lose.
LIVE = ("waiting", "queued", "retrying", "running")
FINAL = ("succeeded", "failed", "cancelled")

_due = Task.status.in_([literal(status, literal_execute=True) for status in DUE])


@dataclass(frozen=True)
class Subject:
    """What a task is about, for filters and pages: `Subject("image", image_id)`."""

    type: str
    id: str


@dataclass(frozen=True)
class TaskRow:
    """A task as the runner and handlers see it: a copy, detached from any session."""

    id: str
    kind: str
    payload: Mapping[str, Any]
    attempt: int
    max_attempts: int
    crashes: int
    priority: int
    subject_type: str | None
    subject_id: str | None
    request_id: str | None
    lease_token: str
    worker: str
    run_at: datetime
    started_at: datetime


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed, as the row keeps it."""

    code: str
    message: str
    traceback: str | None = None


@dataclass(frozen=True)
class Ended:
    """A task that ended without success, for whoever must be told (`Registry.tell`)."""

    kind: str
    payload: Mapping[str, Any]
    code: str
    message: str


@dataclass(frozen=True)
class Step:
    """One link of a chain."""

    kind: Kind
    payload: Mapping[str, Any]


def enqueue(
    session: Session,
    kind: Kind,
    payload: Mapping[str, Any],
    *,
    subject: Subject | None = None,
    priority: Priority | None = None,
    request_id: str | None = None,
    after_id: str | None = None,
    task_id: str | None = None,
    run_at: datetime | None = None,
) -> str:
    """Add a task in the caller's transaction and return its id.

    With `after_id` it waits until that task has succeeded, and is cancelled if that one fails.
    """
    at = now()
    task_id = task_id or new_id()
    row = {
        "id": task_id,
        "kind": kind.name,
        "payload": dict(payload),
        "status": "waiting" if after_id else "queued",
        "lane": kind.lane.value,
        "priority": int(kind.priority if priority is None else priority),
        "max_attempts": kind.retry.max_attempts,
        "run_at": run_at or at,
        "after_id": after_id,
        "subject_type": subject.type if subject else None,
        "subject_id": subject.id if subject else None,
        "request_id": request_id,
        "created_at": at,
    }
    add_rows(session, Task, row)
    after_commit(session, "task.enqueued", kind=kind.name)
    return task_id


def chain(
    session: Session,
    steps: Sequence[Step],
    *,
    subject: Subject | None = None,
    priority: Priority | None = None,
    request_id: str | None = None,
) -> list[str]:
    """Add tasks that run one after the other, each only if the one before succeeded."""
    ids: list[str] = []
    for step in steps:
        task_id = enqueue(
            session,
            step.kind,
            step.payload,
            subject=subject,
            priority=priority,
            request_id=request_id,
            after_id=ids[-1] if ids else None,
        )
        ids.append(task_id)
    return ids


def claim(
    session: Session,
    *,
    worker: str,
    limit: int,
    lease_seconds: float,
    lane: Lane | None = None,
    only: str | None = None,
    at: datetime | None = None,
) -> list[TaskRow]:
    """Take up to `limit` due tasks of a lane, the most urgent first, or the one named `only`."""
    at = at or now()
    due = select(Task.id).where(_due, Task.run_at <= at)
    if lane is not None:
        due = due.where(Task.lane == lane.value)
    if only is not None:
        due = due.where(Task.id == only)
    due = due.order_by(Task.priority, Task.run_at, Task.id).limit(limit)
    token = new_id()
    ids = list(session.scalars(due))
    if not ids:
        return []
    claimed = session.execute(
        update(Task)
        .where(Task.id.in_(ids), _due)
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
        .execution_options(synchronize_session=False)
    ).scalars()
    rows = sorted((_row(task) for task in claimed), key=lambda row: ids.index(row.id))
    notes = ((row.id, "claimed", {"attempt": row.attempt, "worker": worker}) for row in rows)
    _note(session, at, *notes)
    return rows


def renew(
    session: Session, tokens: Sequence[str], lease_seconds: float, at: datetime | None = None
) -> None:
    """Extend the leases of what still runs."""
    until = (at or now()) + timedelta(seconds=lease_seconds)
    session.execute(_running(Task.lease_token.in_(tokens)).values(lease_until=until))


def report_progress(session: Session, task: TaskRow, fraction: float) -> None:
    """Keep how far a running task is, from 0 to 1."""
    session.execute(_mine(task).values(progress=min(1.0, max(0.0, fraction))))


def succeed(
    session: Session, task: TaskRow, result: Mapping[str, Any] | None, at: datetime | None = None
) -> bool:
    """Record the end of the work and let the next of the chain go; False if the lease is lost."""
    at = at or now()
    done = _mine(task).values(
        status="succeeded",
        progress=1.0,
        result=dict(result) if result is not None else None,
        finished_at=at,
        error_code=None,
        error_message=None,
        error_traceback=None,
        **_RELEASED,
    )
    if not _changed(session, done):
        return False
    _note(session, at, (task.id, "succeeded", {"attempt": task.attempt}))
    _release_next(session, task.id, at)
    return True


def retry_later(
    session: Session, task: TaskRow, failure: Failure, wait: timedelta, at: datetime | None = None
) -> bool:
    """Record a failed attempt that another one may mend; False if the lease is lost."""
    at = at or now()
    values = _failed_with(failure) | {"status": "retrying", "run_at": at + wait}
    if not _changed(session, _mine(task).values(**values)):
        return False
    detail = _detail(task, failure) | {"wait_seconds": round(wait.total_seconds(), 3)}
    _note(session, at, (task.id, "attempt_failed", detail))
    return True


def fail(
    session: Session, task: TaskRow, failure: Failure, at: datetime | None = None
) -> list[Ended]:
    """Record the last failed attempt and cancel what waits for this task.

    Returns all that ended by it; nothing if the lease is lost.
    """
    at = at or now()
    values = _failed_with(failure) | {"status": "failed", "finished_at": at}
    if not _changed(session, _mine(task).values(**values)):
        return []
    _note(session, at, (task.id, "failed", _detail(task, failure)))
    ended = Ended(task.kind, task.payload, failure.code, failure.message)
    return [ended, *_cancel_next(session, task.id, at)]


def give_back(session: Session, task: TaskRow, at: datetime | None = None) -> bool:
    """Return a running task to the queue without spending its attempt."""
    at = at or now()
    back = _mine(task).values(status="queued", attempt=Task.attempt - 1, **_RELEASED)
    if not _changed(session, back):
        return False
    _note(session, at, (task.id, "given_back", {"attempt": task.attempt}))
    return True


def lost(
    session: Session, dead_workers: Sequence[str], at: datetime | None = None
) -> list[TaskRow]:
    """Running tasks whose lease has run out or whose worker is known to be dead."""
    gone = or_(Task.lease_until < (at or now()), Task.worker.in_(dead_workers))
    return [_row(task) for task in session.scalars(select(Task).where(*_is_running, gone))]


def workers(session: Session) -> set[str]:
    """The workers that running tasks name."""
    return {name for name in session.scalars(select(Task.worker).where(*_is_running)) if name}


def rescue(
    session: Session, task: TaskRow, max_crashes: int, at: datetime | None = None
) -> list[Ended] | None:
    """Take a lost task from its dead worker: back to the queue, or failed after too many crashes.

    A crash spends no attempt; it is counted by itself, so that a task that kills its process
    cannot do so for ever. Returns what ended by it, or None if somebody else was quicker.
    """
    at = at or now()
    crashes = task.crashes + 1
    failure = Failure("worker_lost", f"The process died {crashes} times during this task.")
    if crashes < max_crashes:
        values = {"status": "queued", "attempt": Task.attempt - 1, "run_at": at, **_RELEASED}
    else:
        values = _failed_with(failure) | {"status": "failed", "finished_at": at}
    if not _changed(session, _mine(task).values(crashes=crashes, **values)):
        return None
    detail = {"attempt": task.attempt, "crashes": crashes, "worker": task.worker}
    _note(session, at, (task.id, "rescued", detail))
    after_commit(session, "task.rescued", outcome=values["status"])
    if crashes < max_crashes:
        return []
    _note(session, at, (task.id, "failed", _detail(task, failure)))
    ended = Ended(task.kind, task.payload, failure.code, failure.message)
    return [ended, *_cancel_next(session, task.id, at)]


def cancel(session: Session, task_id: str) -> list[Ended]:
    """Cancel a task that has not begun, and what waits for it; return all that ended by it.

    Raises: NotFound; WrongState when it runs or has finished.
    """
    status = status_of(session, task_id)
    if status not in ("waiting", *DUE):
        raise WrongState(f"The task is {status}; only one that has not begun can be cancelled.")
    at = now()
    return [_cancel(session, task_id, at, {}), *_cancel_next(session, task_id, at)]


def retry(session: Session, task_id: str) -> None:
    """Start a new round of attempts at a failed or cancelled task; its history stays.

    What was cancelled because of it waits for it again.
    Raises: NotFound; WrongState when it is neither, or the task before it has not succeeded.
    """
    status = status_of(session, task_id)
    if status not in ("failed", "cancelled"):
        raise WrongState(f"The task is {status}; only a failed or cancelled one can be retried.")
    after_id = session.scalar(select(Task.after_id).where(Task.id == task_id))
    if after_id and status_of(session, after_id) != "succeeded":
        raise WrongState(f"It follows task {after_id}, which has not succeeded: retry that one.")
    at = now()
    fresh = {"attempt": 0, "crashes": 0, "progress": 0.0, "finished_at": None, "started_at": None}
    session.execute(
        update(Task).where(Task.id == task_id).values(status="queued", run_at=at, **fresh)
    )
    _note(session, at, (task_id, "retried", {}))
    _revive_next(session, task_id, at)


def status_of(session: Session, task_id: str) -> str:
    """The status of a task. Raises: NotFound."""
    status = session.scalar(select(Task.status).where(Task.id == task_id))
    if status is None:
        raise NotFound(f"There is no task {task_id}.")
    return status


def depth(session: Session, limit: int) -> int:
    """How many tasks wait to be run, counted no further than `limit`."""
    waiting = select(Task.id).where(_due).limit(limit).subquery()
    return session.scalar(select(func.count()).select_from(waiting)) or 0


def counts(session: Session) -> list[tuple[str, str, str, int, datetime]]:
    """Unfinished tasks as (kind, status, priority's label, how many, when the oldest was due)."""
    live = (
        select(Task.kind, Task.status, Task.priority, func.count(), func.min(Task.run_at))
        .where(Task.status.in_(LIVE))
        .group_by(Task.kind, Task.status, Task.priority)
    )
    return [
        (kind, status, Priority(priority).label, count, oldest)
        for kind, status, priority, count, oldest in session.execute(live)
    ]


_RELEASED: dict[str, Any] = {"lease_token": None, "lease_until": None, "worker": None}
_is_running = (Task.status == literal("running", literal_execute=True),)


def _running(*conditions: ColumnElement[bool]) -> Any:
    return (
        update(Task).where(*_is_running, *conditions).execution_options(synchronize_session=False)
    )


def _mine(task: TaskRow) -> Any:
    """An update that only the attempt that holds the lease can carry out."""
    return _running(Task.id == task.id, Task.lease_token == task.lease_token)


def _changed(session: Session, statement: Any) -> bool:
    result = session.execute(statement.execution_options(synchronize_session=False))
    return isinstance(result, CursorResult) and result.rowcount > 0


def _failed_with(failure: Failure) -> dict[str, Any]:
    return {
        "error_code": failure.code,
        "error_message": failure.message,
        "error_traceback": failure.traceback,
        **_RELEASED,
    }


def _detail(task: TaskRow, failure: Failure) -> dict[str, Any]:
    return {"attempt": task.attempt, "code": failure.code, "message": failure.message}


def _note(session: Session, at: datetime, *notes: tuple[str, str, dict[str, Any]]) -> None:
    """Add lines to timelines: (task id, what happened, its detail)."""
    if notes:
        rows = [
            {"task_id": task_id, "at": at, "kind": kind, "detail": detail}
            for task_id, kind, detail in notes
        ]
        add_rows(session, TaskEvent, *rows)


def _next_of(session: Session, task_id: str, status: str) -> list[str]:
    following = select(Task.id).where(Task.after_id == task_id, Task.status == status)
    return list(session.scalars(following))


def _release_next(session: Session, task_id: str, at: datetime) -> None:
    for following in _next_of(session, task_id, "waiting"):
        session.execute(update(Task).where(Task.id == following).values(status="queued", run_at=at))
        _note(session, at, (following, "released", {"after": task_id}))


def _cancel(session: Session, task_id: str, at: datetime, detail: dict[str, Any]) -> Ended:
    kind, payload = session.execute(
        update(Task)
        .where(Task.id == task_id)
        .values(status="cancelled", finished_at=at)
        .returning(Task.kind, Task.payload)
    ).one()
    _note(session, at, (task_id, "cancelled", detail))
    return Ended(kind, payload, "cancelled", "The task was cancelled.")


def _cancel_next(session: Session, task_id: str, at: datetime) -> list[Ended]:
    """Cancel what waits for `task_id`, and what waits for that, to the end of the chain."""
    ended: list[Ended] = []
    for following in _next_of(session, task_id, "waiting"):
        ended.append(_cancel(session, following, at, {"because": task_id}))
        ended += _cancel_next(session, following, at)
    return ended


def _revive_next(session: Session, task_id: str, at: datetime) -> None:
    """Let what was cancelled with `task_id` wait for it again."""
    for following in _next_of(session, task_id, "cancelled"):
        session.execute(
            update(Task).where(Task.id == following).values(status="waiting", finished_at=None)
        )
        _note(session, at, (following, "revived", {"after": task_id}))
        _revive_next(session, following, at)


def _row(task: Task) -> TaskRow:
    return TaskRow(
        id=task.id,
        kind=task.kind,
        payload=dict(task.payload),
        attempt=task.attempt,
        max_attempts=task.max_attempts,
        crashes=task.crashes,
        priority=task.priority,
        subject_type=task.subject_type,
        subject_id=task.subject_id,
        request_id=task.request_id,
        lease_token=task.lease_token or "",
        worker=task.worker or "",
        run_at=task.run_at,
        started_at=task.started_at or task.created_at,
    )
