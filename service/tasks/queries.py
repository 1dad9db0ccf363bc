"""Tasks as documents: which rows are wanted, and what the API shows of them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, defer

from service.errors import NotFound
from service.models import Task, TaskEvent
from service.schemas import (
    PriorityName,
    SubjectDocument,
    TaskDocument,
    TaskErrorDocument,
    TaskEventDocument,
    TaskStatus,
    TaskSummary,
)
from service.tasks.registry import Priority


class TasksWanted(BaseModel):
    """Which tasks are meant; null for all."""

    status: TaskStatus | None = None
    kind: str | None = Field(None, max_length=64, examples=["image.process"])
    priority: PriorityName | None = None
    subject_type: str | None = Field(None, max_length=32, examples=["image"])
    subject_id: str | None = Field(None, max_length=64)


class TaskFilter(TasksWanted):
    """Which tasks a list shows, and from where."""

    cursor: str | None = Field(None, max_length=64, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=100, description="Entries on a page.")


def page(session: Session, wanted: TaskFilter) -> list[TaskSummary]:
    """A page of the wanted tasks, newest first, without tracebacks and timelines."""
    statement = (
        select(Task)
        .options(defer(Task.error_traceback), defer(Task.payload))
        .order_by(Task.id.desc())
        .limit(wanted.limit)
    )
    statement = statement.where(*conditions(wanted))
    if wanted.cursor:
        statement = statement.where(Task.id < wanted.cursor)
    return [TaskSummary(**_fields(row)) for row in session.scalars(statement)]


def conditions(wanted: TasksWanted) -> list[ColumnElement[bool]]:
    """The wanted tasks, as a statement asks for them."""
    values = {
        Task.status: wanted.status,
        Task.kind: wanted.kind,
        Task.priority: Priority.named(wanted.priority) if wanted.priority else None,
        Task.subject_type: wanted.subject_type,
        Task.subject_id: wanted.subject_id,
    }
    return [column == value for column, value in values.items() if value is not None]


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
