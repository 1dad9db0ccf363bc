"""Of tasks of one kind with one deduplication key, at most one is unfinished."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from service.models import Task
from service.tasks.rows.constants import one_of
from service.tasks.words import LIVE


def is_unfinished(table: type[Task] = Task) -> ColumnElement[bool]:
    """As the unique index has it, which then serves."""
    return one_of(table.status, LIVE)


def unfinished(session: Session, kind: str, key: str) -> str | None:
    """The id of the unfinished task with this key, held so that it cannot finish before the
    caller's transaction ends: what the caller wrote is there when that task records its success.
    """
    standing = select(Task.id).where(Task.kind == kind, Task.dedup_key == key, is_unfinished())
    return session.scalar(standing.with_for_update(read=True))


def has_twin(session: Session, task_id: str) -> str | None:
    """The id of another unfinished task with the same key as this one."""
    mine = select(Task.kind, Task.dedup_key).where(Task.id == task_id)
    kind, key = session.execute(mine).one()
    return unfinished(session, kind, key) if key is not None else None
