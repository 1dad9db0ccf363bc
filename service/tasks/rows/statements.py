"""What the statements on the task table share: the lease that guards, the timeline that tells."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Update, select, update
from sqlalchemy.orm import Session

from service.inserts import add_rows
from service.models import TASKS, PausedKind, Task, TaskEvent
from service.tasks.rows.constants import constant, one_of
from service.tasks.words import DUE, Failure, TaskRow

is_due = one_of(Task.status, DUE)
is_running = (Task.status == constant("running"),)
#: A task of a paused kind stays where it is.
is_not_paused = Task.kind.not_in(select(PausedKind.kind))
#: What a row no longer says once its attempt is over.
RELEASED: dict[str, Any] = {"lease_token": None, "lease_until": None, "worker": None}


def running(*conditions: ColumnElement[bool]) -> Update:
    """An update of running rows."""
    return update(TASKS).where(*is_running, *conditions)


def mine(task: TaskRow) -> Update:
    """An update that only the attempt that holds the lease can carry out."""
    return running(Task.id == task.id, Task.lease_token == task.lease_token)


def changed(session: Session, statement: Update) -> bool:
    """Carry out an update and say whether it found its row."""
    return session.connection().execute(statement).rowcount > 0


def failed_with(task: TaskRow, failure: Failure) -> dict[str, Any]:
    return {
        "crashes": task.crashes + failure.crashed,
        "isolated": task.isolated or failure.isolates,
        "error_code": failure.code,
        "error_message": failure.message,
        "error_traceback": failure.traceback,
        **RELEASED,
    }


def detail_of(task: TaskRow, failure: Failure) -> dict[str, Any]:
    detail = {"attempt": task.attempt, "code": failure.code, "message": failure.message}
    return detail | ({"traceback": failure.traceback} if failure.traceback else {})


def note(session: Session, at: datetime, *notes: tuple[str, str, dict[str, Any]]) -> None:
    """Add lines to timelines: (task id, what happened, its detail)."""
    if notes:
        rows = [
            {"task_id": task_id, "at": at, "kind": kind, "detail": detail}
            for task_id, kind, detail in notes
        ]
        add_rows(session, TaskEvent, *rows)


def row_of(task: Task | Row[Any]) -> TaskRow:
    """The row as handlers see it, from the mapper or past it."""
    return TaskRow(
        id=task.id,
        kind=task.kind,
        lane=task.lane,
        payload=dict(task.payload),
        attempt=task.attempt,
        max_attempts=task.max_attempts,
        crashes=task.crashes,
        isolated=task.isolated,
        priority=task.priority,
        subject_type=task.subject_type,
        subject_id=task.subject_id,
        request_id=task.request_id,
        lease_token=task.lease_token or "",
        worker=task.worker or "",
        run_at=task.run_at,
        started_at=task.started_at or task.run_at,
    )
