"""Tasks on their way to a worker: handed to a broker, and not yet claimed.

A row remembers when it was handed over. That is a note and no state: the task stays due, and
whoever comes first claims it. Only so many are under way at a time; all others are still rows, in
the order of their urgency, and can be cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update
from sqlalchemy.orm import Session

from service.holding import is_alone
from service.models import Task
from service.tasks.registry import Lane, Priority
from service.tasks.rows.clock import time_of
from service.tasks.rows.constants import one_of
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
    session: Session, in_broker: Mapping[Lane, int], at: datetime | None = None
) -> list[Dispatched]:
    """Note the most urgent due tasks of each lane as handed over, as far as there is room.

    There is room for twice as many as run now. `in_broker` is how many messages wait there: where
    they are fewer than the rows that were noted, some were lost, and whose note is old is handed
    over again. Nothing happens while another process does the same.
    """
    if not is_alone(session, "dispatch"):
        return []
    at = at or time_of(session)
    fresh = Task.dispatched_at >= at - timedelta(seconds=DELIVERY_SECONDS)
    known = _counts(session, fresh)
    found = [
        Dispatched(task_id, kind, lane)
        for lane, waiting in in_broker.items()
        if (room := known[lane].room(waiting)) > 0
        for task_id, kind in session.execute(
            _due(lane, at)
            .where(~(_IS_NOTED & fresh) if waiting < known[lane].noted else ~_IS_NOTED)
            .limit(room)
        )
    ]
    _note(session, [task.id for task in found], at)
    return found


def take_back(session: Session, ids: Sequence[str]) -> None:
    """Forget that these were handed over: the broker did not take them."""
    _note(session, ids, None)


@dataclass(frozen=True)
class _Counts:
    """Tasks of a lane: those that run, those noted as handed over, those noted lately."""

    running: int = 0
    noted: int = 0
    fresh: int = 0

    def room(self, waiting: int) -> int:
        """How many more may be handed over, with so many messages in the broker."""
        return max(FEWEST, 2 * self.running) - max(waiting, self.fresh)


def _counts(session: Session, fresh: ColumnElement[bool]) -> Mapping[Lane, _Counts]:
    noted = and_(is_due, _IS_NOTED, is_not_paused)
    counts = (
        select(
            Task.lane,
            func.count().filter(*is_running),
            func.count().filter(noted),
            func.count().filter(noted, fresh),
        )
        .where(or_(and_(*is_running), _IS_NOTED))  # each side has its index
        .group_by(Task.lane)
    )
    known = {Lane(lane): _Counts(*numbers) for lane, *numbers in session.execute(counts)}
    return {lane: known.get(lane, _Counts()) for lane in Lane}


def _due(lane: Lane, at: datetime) -> Select[str, str]:
    return (
        select(Task.id, Task.kind)
        .where(is_due, Task.lane == lane.value, Task.run_at <= at, is_not_paused)
        # Each priority by itself, as in a claim.
        .where(one_of(Task.priority, Priority))
        .order_by(Task.priority, Task.run_at, Task.id)
        .with_for_update(skip_locked=True)
    )


def _note(session: Session, ids: Sequence[str], at: datetime | None) -> None:
    if ids:
        session.execute(update(Task).where(Task.id.in_(ids), is_due).values(dispatched_at=at))
