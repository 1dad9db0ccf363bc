"""Tasks as documents: what the API shows of the rows."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.errors import NotFound
from service.models import Task, TaskEvent
from service.schemas import (
    ChainLink,
    Page,
    SubjectDocument,
    TaskDocument,
    TaskErrorDocument,
    TaskEventDocument,
    TaskSummary,
)
from service.tasks import rows
from service.tasks.filters import LISTED, TaskFilter, find
from service.tasks.registry import Priority

#: Running tasks that are shown at once.
MOST_RUNNING = 1_000


def page(session: Session, wanted: TaskFilter) -> Page[TaskSummary]:
    """A page of the wanted tasks, newest first, without tracebacks and timelines."""
    found = find(session, wanted)
    return Page(items=[summary(row) for row in found.rows], next=found.next)


def summary(row: Task) -> TaskSummary:
    """The row as lists show it."""
    return TaskSummary(**_fields(row))


def by_worker(session: Session) -> dict[str, list[TaskSummary]]:
    """What each worker runs now, by the workers' names, up to MOST_RUNNING tasks in all."""
    running = (
        select(Task)
        .options(*LISTED)
        .where(*rows.is_running)
        .order_by(Task.worker, Task.started_at)
        .limit(MOST_RUNNING)
    )
    found: dict[str, list[TaskSummary]] = defaultdict(list)
    for row in session.scalars(running):
        found[row.worker or ""].append(summary(row))
    return found


def get(session: Session, task_id: str) -> TaskDocument:
    """One task with its timeline and its last traceback. Raises: NotFound."""
    row = session.get(Task, task_id)
    if row is None:
        raise NotFound(f"There is no task {task_id}.")
    timeline = select(TaskEvent).where(TaskEvent.task_id == task_id).order_by(TaskEvent.id)
    fields = _fields(row) | {
        "error": _error(row, row.error_traceback),
        "after_id": row.after_id,
        "dedup_key": row.dedup_key,
        "crashes": row.crashes,
        "isolated": row.isolated,
        "chain": [
            ChainLink(id=link.id, kind=link.kind, status=link.status)
            for link in rows.chain_of(session, row)
        ],
        "events": [
            # The row itself says when it began to exist: no line of the timeline is spent on it.
            TaskEventDocument(at=row.created_at, kind="enqueued", detail={}),
            *(
                TaskEventDocument(at=event.at, kind=event.kind, detail=event.detail)
                for event in session.scalars(timeline)
            ),
        ],
    }
    return TaskDocument(**fields)


def _fields(row: Task) -> dict[str, Any]:
    subject = (
        SubjectDocument(type=row.subject_type, id=row.subject_id or "")
        if row.subject_type
        else None
    )
    return {
        "id": row.id,
        "kind": row.kind,
        "status": row.status,
        "priority": Priority(row.priority).label,
        "attempt": row.attempt,
        "max_attempts": row.max_attempts,
        "progress": row.progress,
        "subject": subject,
        "request_id": row.request_id,
        "created_at": row.created_at,
        "run_at": row.run_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "cancel_requested_at": row.cancel_requested_at,
        "error": _error(row, None),
        "result": row.result,
    }


def _error(row: Task, traceback: str | None) -> TaskErrorDocument | None:
    if row.error_code is None:
        return None
    return TaskErrorDocument(
        code=row.error_code, message=row.error_message or "", traceback=traceback
    )
