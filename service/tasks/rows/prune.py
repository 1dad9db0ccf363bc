"""Finished tasks, removed with their timelines when they are old enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session, aliased

from service.models import Task


def prune(
    session: Session, status: str, before: datetime, limit: int
) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """Remove up to `limit` tasks that ended in `status` before that time, the oldest first.

    Returns the kind and the payload of each. The timelines go with their tasks, by the database's
    own rule. A task is kept as long as one that follows it is unfinished.
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
        .returning(Task.kind, Task.payload)
        .execution_options(synchronize_session=False)
    )
    return [(kind, payload) for kind, payload in removed]
