"""How tasks come to be: in the transaction of whoever wants the work done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service.errors import DatabaseFailed
from service.events import after_commit
from service.inserts import add_row_unless_there, add_rows
from service.models import Task, new_id
from service.tasks.registry import Kind, Priority
from service.tasks.rows.clock import time_of
from service.tasks.rows.dedup import unfinished
from service.tasks.words import Subject

#: Times that a task which finished a moment before it was looked at is given another chance.
TRIES = 5


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
    dedup_key: str | None = None,
) -> str:
    """Add a task in the caller's transaction and return its id.

    With `after_id` it waits until that task has succeeded, and is cancelled if that one fails.
    With `run_at` it is due at that time. With `dedup_key` (at most 255 characters) there is one
    unfinished task of the kind with that key: while there is one, its id is returned and nothing
    is added.
    """
    at = time_of(session)
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
        "dedup_key": dedup_key,
        "created_at": at,
    }
    if dedup_key is None:
        add_rows(session, Task, row)
    else:
        task_id = _first(session, row)
    if task_id == row["id"]:
        after_commit(session, "task.enqueued", kind=kind.name)
    return task_id


def _first(session: Session, row: Mapping[str, Any]) -> str:
    """Insert the row unless a task like it is unfinished; return the id of the one that stands.

    That one may finish between the two statements: then the row is tried again.
    """
    for _ in range(TRIES):
        if add_row_unless_there(session, Task, row):
            return str(row["id"])
        if standing := unfinished(session, row["kind"], row["dedup_key"]):
            return standing
    raise DatabaseFailed("Others enqueue the same task all the time.", retry_after_seconds=1)


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
