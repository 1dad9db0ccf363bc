"""How much there is to do."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.models import Task
from service.tasks.registry import Kind, Priority
from service.tasks.rows.statements import is_due
from service.tasks.words import LIVE, Subject


def depth(session: Session, limit: int) -> int:
    """How many tasks wait to be run, counted no further than `limit`."""
    waiting = select(Task.id).where(is_due).limit(limit).subquery()
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


def is_queued(session: Session, kind: Kind, subject: Subject) -> bool:
    """Whether a task of this kind about this subject waits to be run.

    It goes on waiting until the caller's transaction ends: so it will see what that writes.
    """
    waiting = select(Task.id).where(
        Task.subject_type == subject.type,
        Task.subject_id == subject.id,
        Task.kind == kind.name,
        is_due,
    )
    return session.scalar(waiting.limit(1).with_for_update(read=True)) is not None
