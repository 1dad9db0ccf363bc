"""How much there is to do, and when the next of it is due."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import ColumnElement, and_, bindparam, case, func, or_, select, union_all
from sqlalchemy.orm import Session

from service.columns import Moment
from service.models import Task
from service.prepared import Prepared
from service.tasks.registry import Lane, Priority
from service.tasks.rows.clock import time_of
from service.tasks.rows.constants import constant, one_of
from service.tasks.rows.statements import is_due, is_not_paused
from service.tasks.words import FINAL, LIVE

#: What is shown is counted no further.
MOST_COUNTED = 10_000

#: One look into the index for each of its beginnings: none reads more than a row.
_FIRSTS = union_all(
    *(
        select(func.min(Task.run_at).label("run_at"))
        .where(is_due, Task.lane == constant(lane), Task.priority == constant(priority))
        .where(Task.run_at > bindparam("at", type_=Moment), is_not_paused)
        for lane in Lane
        for priority in Priority
    )
).subquery()
_NEWEST_FINISHED = union_all(
    *(
        select(Task.kind, Task.status)
        .where(Task.status == status, Task.finished_at.is_not(None))
        .order_by(Task.finished_at.desc())
        .limit(MOST_COUNTED + 1)
        .subquery()
        .select()
        for status in FINAL
    )
).subquery()
_FINISHED = select(_NEWEST_FINISHED.c.kind, _NEWEST_FINISHED.c.status, func.count()).group_by(
    _NEWEST_FINISHED.c.kind, _NEWEST_FINISHED.c.status
)
_NEXT_DUE = Prepared(select(func.min(_FIRSTS.c.run_at)))


def depth(session: Session, limit: int, at: datetime | None = None) -> int:
    """How many tasks wait to be run, counted no further than `limit`.

    One that is scheduled for later does not count; one between two attempts does.
    """
    waits = or_(Task.run_at <= (at or time_of(session)), Task.status == "retrying")
    return _up_to(session, limit, waits)


def scheduled(session: Session, limit: int, at: datetime | None = None) -> int:
    """How many tasks are scheduled for later, counted no further than `limit`."""
    return _up_to(session, limit, Task.run_at > (at or time_of(session)), Task.status != "retrying")


def counts(
    session: Session, at: datetime | None = None
) -> list[tuple[str, str, str, int, datetime]]:
    """Unfinished tasks as (kind, status, priority's label, how many, when the oldest was due).

    The status of queued tasks that are not yet due is `scheduled` here.
    """
    is_scheduled = and_(Task.status == "queued", Task.run_at > (at or time_of(session)))
    status = case((is_scheduled, "scheduled"), else_=Task.status)
    live = (
        select(Task.kind, status, Task.priority, func.count(), func.min(Task.run_at))
        .where(Task.status.in_(LIVE))
        .group_by(Task.kind, status, Task.priority)
    )
    return [
        (kind, status, Priority(priority).label, count, oldest)
        for kind, status, priority, count, oldest in session.execute(live)
    ]


def finished(session: Session) -> tuple[list[tuple[str, str, int]], bool]:
    """Finished tasks that are still kept, as (kind, status, how many).

    Of each status the newest are counted, up to MOST_COUNTED; and whether there are more.
    """
    counted = [(kind, status, count) for kind, status, count in session.execute(_FINISHED)]
    together = Counter[str]()
    for _, status, count in counted:
        together[status] += count
    return counted, any(count > MOST_COUNTED for count in together.values())


def seconds_to_next(session: Session, at: datetime | None = None) -> float | None:
    """How long until the next task that can be claimed becomes due; None if there is none."""
    at = at or time_of(session)
    ((soonest,),) = _NEXT_DUE.rows(session, {"at": at})
    return (soonest - at).total_seconds() if soonest else None


def _up_to(session: Session, limit: int, *conditions: ColumnElement[bool]) -> int:
    # Lane and priority are named for the index's sake, which then is all that is read.
    every = one_of(Task.lane, Lane), one_of(Task.priority, Priority)
    found = select(Task.id).where(is_due, *every, *conditions).limit(limit).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0
