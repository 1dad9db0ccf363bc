"""Running tasks that somebody wants to stop: asked for, heard of, recorded.

Only the attempt itself can end a running task. So a wish to cancel is a mark on the row; the
worker learns of it, stops where that is possible, and records that it did.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.events import after_commit
from service.models import Task
from service.tasks.rows.chains import cancel_next
from service.tasks.rows.clock import time_of
from service.tasks.rows.statements import RELEASED, changed, is_running, mine, note, running
from service.tasks.words import Ended, TaskRow

_is_asked_for = Task.cancel_requested_at.is_not(None)


def ask_to_stop(session: Session, task_id: str, at: datetime) -> bool:
    """Mark a running task for cancelling; False if it does not run, or is marked already."""
    mark = running(Task.id == task_id, Task.cancel_requested_at.is_(None))
    if not changed(session, mark.values(cancel_requested_at=at)):
        return False
    note(session, at, (task_id, "cancel_requested", {}))
    after_commit(session, "task.cancel_requested", id=task_id)
    return True


def asked_to_stop(session: Session, ids: Collection[str]) -> list[str]:
    """Which of these running tasks are to stop."""
    marked = select(Task.id).where(*is_running, _is_asked_for, Task.id.in_(ids))
    return list(session.scalars(marked))


def cancel_running(session: Session, task: TaskRow, at: datetime | None = None) -> list[Ended]:
    """Record that an attempt which was asked to stop has done so, and cancel what waits for it.

    Returns all that ended by it; nothing if nobody asked, or the lease is lost.
    """
    at = at or time_of(session)
    stopped = mine(task).where(_is_asked_for).values(status="cancelled", finished_at=at, **RELEASED)
    if not changed(session, stopped):
        return []
    note(session, at, (task.id, "cancelled", {"attempt": task.attempt}))
    ended = Ended(task.kind, task.payload, "cancelled", "The task was cancelled.")
    return [ended, *cancel_next(session, task.id, at)]
