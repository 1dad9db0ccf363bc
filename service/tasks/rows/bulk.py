"""Many tasks changed by one wish: which of the wanted can be changed, how many are left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from service.errors import NotFound, WrongState
from service.models import Task
from service.tasks.rows.control import RETRYABLE, cancel, retry
from service.tasks.rows.dedup import is_unfinished
from service.tasks.words import NOT_BEGUN, Ended

Condition = ColumnElement[bool]

#: `remaining` counts no further.
MAX_REMAINING = 10_000


def _can_be_cancelled() -> Condition:
    runs_unasked = and_(Task.status == "running", Task.cancel_requested_at.is_(None))
    return or_(Task.status.in_(NOT_BEGUN), runs_unasked)


def _can_be_retried() -> Condition:
    """As `retry` has it: what it would refuse must not be found again and again."""
    before, twin = aliased(Task), aliased(Task)
    waits = exists().where(before.id == Task.after_id, before.status != "succeeded")
    has_a_twin = exists().where(
        twin.kind == Task.kind, twin.dedup_key == Task.dedup_key, is_unfinished(twin)
    )
    first, alone = or_(Task.after_id.is_(None), ~waits), or_(Task.dedup_key.is_(None), ~has_a_twin)
    return and_(Task.status.in_(RETRYABLE), first, alone)


@dataclass(frozen=True)
class Verb:
    """What can be done to many tasks: to which, and to one of them."""

    can_be: Condition
    change: Callable[[Session, str], list[Ended] | None]

    def find(self, session: Session, wanted: Sequence[Condition], limit: int) -> list[str]:
        """Up to `limit` ids of the wanted tasks that can be changed, oldest first."""
        found = select(Task.id).where(*wanted, self.can_be).order_by(Task.id).limit(limit)
        return list(session.scalars(found))

    def remaining(self, session: Session, wanted: Sequence[Condition]) -> int:
        """How many of the wanted tasks can still be changed, up to MAX_REMAINING."""
        left = select(Task.id).where(*wanted, self.can_be).limit(MAX_REMAINING).subquery()
        return session.scalar(select(func.count()).select_from(left)) or 0

    def apply(self, session: Session, ids: Sequence[str]) -> tuple[int, list[Ended]]:
        """Change tasks one by one, passing over those that have moved on meanwhile.

        Returns how many were changed, and what ended by it.
        """
        count, ended = 0, list[Ended]()
        for task_id in ids:
            try:
                ended += self.change(session, task_id) or ()
            except (NotFound, WrongState):
                continue
            count += 1
        return count, ended


CANCEL = Verb(_can_be_cancelled(), cancel)
RETRY = Verb(_can_be_retried(), retry)
