"""What finished in each minute, kept when the tasks themselves are gone.

A minute is counted from its rows once it is over, and kept: whoever counts it, and however often,
finds the same and keeps the first. The minutes since are counted from the rows at every look. Times
are those of the last attempt of what succeeded or failed; what was cancelled has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    Integer,
    Select,
    case,
    delete,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import GenericFunction

from service.inserts import add_row_unless_there
from service.models import TASKS, Task, TaskMinute
from service.tasks.rows.clock import time_of
from service.tasks.words import FINAL

SECONDS = 60
#: Minutes that are counted in one statement.
SPAN = 60
#: A statement takes no longer, nor a transaction that is left alone.
MINUTES_TO_COMMIT = 1

_MINUTES = TaskMinute.metadata.tables[TaskMinute.__tablename__]


class minute_of(GenericFunction[int]):  # noqa: N801 - a function of SQL's
    """The minute since 1970 in which a time lies."""

    type = Integer()
    inherit_cache = True


class seconds_between(GenericFunction[float]):  # noqa: N801 - a function of SQL's
    """From the second time to the first, in seconds."""

    type = Double()
    inherit_cache = True


@compiles(minute_of, "sqlite")
def _(element: Any, compiler: Any, **how: Any) -> str:
    return f"(CAST(strftime('%s', {compiler.process(element.clauses, **how)}) AS INTEGER) / 60)"


@compiles(minute_of, "postgresql")
def _(element: Any, compiler: Any, **how: Any) -> str:
    at = compiler.process(element.clauses, **how)
    return f"CAST(floor(extract(epoch FROM {at}) / 60) AS INTEGER)"


@compiles(seconds_between, "sqlite")
def _(element: Any, compiler: Any, **how: Any) -> str:
    later, earlier = (compiler.process(one, **how) for one in element.clauses)
    return f"((julianday({later}) - julianday({earlier})) * 86400.0)"


@compiles(seconds_between, "postgresql")
def _(element: Any, compiler: Any, **how: Any) -> str:
    later, earlier = (compiler.process(one, **how) for one in element.clauses)
    return f"CAST(extract(epoch FROM {later} - {earlier}) AS DOUBLE PRECISION)"


@dataclass(frozen=True)
class Counted:
    """What finished from `minute` on, of one kind, in one way; times in seconds."""

    minute: int
    kind: str
    outcome: str
    count: int
    wait_sum: float
    wait_max: float
    run_sum: float
    run_max: float


def minute_at(at: datetime) -> int:
    """The minute since 1970 in which a time lies."""
    return int(at.timestamp()) // SECONDS


def begin_of(minute: int) -> datetime:
    """When a minute since 1970 began."""
    return datetime.fromtimestamp(minute * SECONDS, UTC)


def unkept(session: Session) -> tuple[int, Sequence[Counted]]:
    """Count the next minutes that are over and not kept yet; nothing when all are.

    And the first minute that is not over: its last task may still be about to be committed.
    """
    over = minute_at(time_of(session)) - MINUTES_TO_COMMIT
    first = _first_with_any(session, _kept_until(session))
    if first is None or first >= over:
        return over, []
    return over, _counted(session, first, min(first + SPAN, over))


def keep(session: Session, counted: Sequence[Counted]) -> None:
    """Keep whole minutes; what another process has kept already stays."""
    for one in counted:
        add_row_unless_there(session, TaskMinute, vars(one))


def forget_minutes(session: Session, before: datetime, limit: int) -> int:
    """Remove up to `limit` of the rows that are older; return how many."""
    oldest = select(TaskMinute.minute).where(TaskMinute.minute < minute_at(before))
    last = session.scalar(oldest.order_by(TaskMinute.minute).offset(limit - 1).limit(1))
    until = minute_at(before) if last is None else last + 1
    removed = session.connection().execute(delete(_MINUTES).where(_MINUTES.c.minute < until))
    return removed.rowcount


def series(session: Session, since: int, step: int) -> Iterator[Counted]:
    """What finished since a minute, `step` minutes together; one kind and outcome may come twice.

    The kept minutes first, then what the rows say of those since.
    """
    kept_until = _kept_until(session)
    kept = _MINUTES.c
    of_step = kept.minute - kept.minute % literal(step)
    together = (
        select(
            of_step,
            kept.kind,
            kept.outcome,
            func.sum(kept["count"]),
            func.sum(kept.wait_sum),
            func.max(kept.wait_max),
            func.sum(kept.run_sum),
            func.max(kept.run_max),
        )
        .where(kept.minute >= since)
        .group_by(of_step, kept.kind, kept.outcome)
    )
    for row in session.execute(together):
        yield Counted(*row)
    for one in _counted(session, max(since, kept_until), None):
        yield replace(one, minute=one.minute - one.minute % step)


def _kept_until(session: Session) -> int:
    newest = session.scalar(select(func.max(_MINUTES.c.minute)))
    return 0 if newest is None else newest + 1


def _first_with_any(session: Session, minute: int) -> int | None:
    """The first minute, from this one on, in which a task finished that is still there."""
    firsts = union_all(
        *(
            select(func.min(Task.finished_at).label("at")).where(
                Task.status == status, Task.finished_at >= begin_of(minute)
            )
            for status in FINAL
        )
    ).subquery()
    first: datetime | None = session.scalar(select(func.min(firsts.c.at)))
    return None if first is None else minute_at(first)


def _counted(session: Session, since: int, until: int | None) -> Sequence[Counted]:
    statement = _FINISHED.where(TASKS.c.finished_at >= begin_of(since))
    if until is not None:
        statement = statement.where(TASKS.c.finished_at < begin_of(until))
    return [Counted(*row) for row in session.connection().execute(statement)]


def _finished() -> Select[Any]:
    minute, status = minute_of(TASKS.c.finished_at), TASKS.c.status
    wait = _seconds(TASKS.c.started_at, TASKS.c.run_at)
    run = _seconds(TASKS.c.finished_at, TASKS.c.started_at)
    times = (func.sum(wait), func.max(wait), func.sum(run), func.max(run))
    return (
        select(minute, TASKS.c.kind, status, func.count(), *times)
        # For the index's sake, which has the status first, and holds only those.
        .where(status.in_(FINAL), TASKS.c.finished_at.is_not(None))
        .group_by(minute, TASKS.c.kind, status)
    )


def _seconds(later: ColumnElement[Any], earlier: ColumnElement[Any]) -> ColumnElement[float]:
    """0 for what was cancelled, and where clocks differ."""
    seconds = seconds_between(later, earlier)
    has_times = (TASKS.c.status != "cancelled") & (seconds > 0)
    return case((has_times, seconds), else_=0.0)


_FINISHED = _finished()
