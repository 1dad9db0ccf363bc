"""What the end of a task means for those that wait for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from service.holding import held
from service.models import TASKS, Task
from service.tasks.rows.statements import note
from service.tasks.words import NOT_BEGUN, Ended

#: Tasks of a chain that are shown on either side of one.
MOST_LINKS = 20

#: Carried out after every success, though few tasks are followed: built once, past the mapper.
_RELEASE = (
    update(TASKS)
    .where(TASKS.c.after_id == bindparam("before"), TASKS.c.status == "waiting")
    .values(status="queued", run_at=bindparam("now"))
    .returning(TASKS.c.id)
)


def release_next(session: Session, task_id: str, at: datetime) -> None:
    released = session.connection().scalars(_RELEASE, {"before": task_id, "now": at})
    note(session, at, *((following, "released", {"after": task_id}) for following in released))


def cancel_one(session: Session, task_id: str, at: datetime, detail: dict[str, Any]) -> list[Ended]:
    """Cancel a task that has not begun, and what waits for it; nothing if it has."""
    cancelled = session.execute(
        update(Task)
        .where(Task.id == task_id, Task.status.in_(NOT_BEGUN))
        .values(status="cancelled", finished_at=at)
        .returning(Task.kind, Task.payload)
    ).first()
    if cancelled is None:
        return []
    note(session, at, (task_id, "cancelled", detail))
    kind, payload = cancelled
    ended = Ended(kind, payload, "cancelled", "The task was cancelled.")
    return [ended, *cancel_next(session, task_id, at)]


def cancel_next(session: Session, task_id: str, at: datetime) -> list[Ended]:
    """Cancel what waits for `task_id`, and what waits for that, to the end of the chain."""
    return [
        ended
        for following in next_of(session, task_id, "waiting")
        for ended in cancel_one(session, following, at, {"because": task_id})
    ]


def revive_next(session: Session, task_id: str, at: datetime) -> None:
    """Let what was cancelled with `task_id` wait for it again."""
    for following in next_of(session, task_id, "cancelled"):
        session.execute(
            update(Task)
            .where(Task.id == following)
            # Without its key: another task may have been enqueued under that one meanwhile.
            .values(status="waiting", finished_at=None, dedup_key=None)
        )
        note(session, at, (following, "revived", {"after": task_id}))
        revive_next(session, following, at)


def next_of(session: Session, task_id: str, status: str) -> list[str]:
    """What follows a task and is of that status, held so that it stays so."""
    following = select(Task.id).where(Task.after_id == task_id, Task.status == status)
    return list(session.scalars(held(following.order_by(Task.id))))


def chain_of(session: Session, task: Task) -> list[Task]:
    """The chain a task belongs to, itself included, in order; nothing if it stands alone.

    Up to MOST_LINKS before it and as many after it.
    """
    before, after = [task], [task]
    while len(before) <= MOST_LINKS and (after_id := before[0].after_id):
        if (earlier := session.get(Task, after_id)) is None:  # it was pruned
            break
        before.insert(0, earlier)
    for link in after:  # it grows meanwhile
        following = select(Task).where(Task.after_id == link.id).order_by(Task.id)
        after += session.scalars(following.limit(MOST_LINKS + 1 - len(after)))
    links = [*before, *after[1:]]
    return links if len(links) > 1 else []
