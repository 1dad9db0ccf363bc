"""How tasks come to be: in the transaction of whoever wants the work done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service.events import after_commit
from service.inserts import add_rows
from service.models import Task, new_id
from service.tasks.registry import Kind, Priority
from service.tasks.rows.clock import time_of
from service.tasks.words import Subject


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
