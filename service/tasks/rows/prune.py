"""Finished tasks, removed with their timelines when they are old enough."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session, aliased

from service.models import Task
from service.tasks.words import Subject


def prune(session: Session, status: str, before: datetime, limit: int) -> Sequence[Subject | None]:
    """Remove up to `limit` tasks that ended in `status` before that time, the oldest first.

    Returns what each was about. The timelines go with their tasks, by the database's own rule.
    A task is kept as long as one that follows it is unfinished.
    """
    following = aliased(Task)
    is_followed = exists().where(following.after_id == Task.id, following.finished_at.is_(None))
    old = (
        select(Task.id)
        .where(Task.status == status, Task.finished_at < before, Task.finished_at.is_not(None))
        .where(~is_followed)
        .order_by(Task.finished_at)
        .limit(limit)
    )
    removed = session.execute(
        delete(Task)
        .where(Task.id.in_(list(session.scalars(old))))
        .returning(Task.subject_type, Task.subject_id)
        .execution_options(synchronize_session=False)
    )
    return [Subject(kind, about or "") if kind else None for kind, about in removed]
