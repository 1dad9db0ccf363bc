"""Tasks on their way to a worker: handed to a broker, and not yet claimed.

A row remembers when it was handed over. That is a note and no state: the task stays due, and
whoever comes first claims it. Only so many are under way at a time; all others are still rows, in
the order of their urgency, and can be cancelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from service.holding import is_alone
from service.models import Task
from service.tasks.registry import Lane, Priority
from service.tasks.rows.clock import time_of
from service.tasks.rows.statements import is_due, is_not_paused, is_running

#: Tasks of a lane that may be under way when none runs: enough to begin with.
FEWEST = 4
#: Time from the broker's hands to a claim; what takes longer has been lost, in seconds.
DELIVERY_SECONDS = 5.0

_IS_NOTED = Task.dispatched_at.is_not(None)


@dataclass(frozen=True)
class Dispatched:
    """A task that a worker is to be told of."""

    id: str
    kind: str
    lane: Lane


def dispatch(
    session: Session, lane: Lane, in_broker: int, at: datetime | None = None
) -> list[Dispatched]:
    """Note the most urgent due tasks of a lane as handed over, as far as there is room.

    There is room for twice as many as run now. `in_broker` is how many messages wait there: where
    they are fewer than the rows that were noted, some were lost, and whose note is old is handed
    over again. Nothing happens while another process does the same.
    """
    if not is_alone(session, "dispatch"):
        return []
    at = at or time_of(session)
    fresh = Task.dispatched_at >= at - timedelta(seconds=DELIVERY_SECONDS)
    room = _window(session, lane) - max(in_broker, _count(session, lane, _IS_NOTED, fresh))
    if room <= 0:
        return []
    some_lost = in_broker < _count(session, lane, _IS_NOTED)
    due = (
        select(Task.id, Task.kind)
        .where(is_due, Task.lane == lane.value, Task.run_at <= at, is_not_paused)
        # Each priority by itself, as in a claim.
        .where(Task.priority.in_([int(priority) for priority in Priority]))
        .where(~(_IS_NOTED & fresh) if some_lost else ~_IS_NOTED)
        .order_by(Task.priority, Task.run_at, Task.id)
        .limit(room)
        .with_for_update(skip_locked=True)
    )
    found = [Dispatched(task_id, kind, lane) for task_id, kind in session.execute(due)]
    _note(session, [task.id for task in found], at)
    return found


def take_back(session: Session, ids: Sequence[str]) -> None:
    """Forget that these were handed over: the broker did not take them."""
    _note(session, ids, None)


def _note(session: Session, ids: Sequence[str], at: datetime | None) -> None:
    if ids:
        session.execute(update(Task).where(Task.id.in_(ids), is_due).values(dispatched_at=at))


def _window(session: Session, lane: Lane) -> int:
    running = select(func.count()).where(*is_running, Task.lane == lane.value)
    return max(FEWEST, 2 * (session.scalar(running) or 0))


def _count(session: Session, lane: Lane, *conditions: ColumnElement[bool]) -> int:
    due = is_due, Task.lane == lane.value, is_not_paused
    noted = select(func.count()).where(*due, *conditions)
    return session.scalar(noted) or 0
