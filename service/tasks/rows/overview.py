"""How the tasks are, at a glance: no look here reads more than so many rows.

What is counted is counted up to a number, and the answer says where that was reached.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, tuple_, union_all
from sqlalchemy.orm import Session

from service.models import Task
from service.tasks.registry import Lane, Priority
from service.tasks.rows.constants import constant, one_of
from service.tasks.rows.counts import MOST_COUNTED
from service.tasks.rows.statements import is_due, is_running
from service.tasks.words import STATUSES

#: Groups of failures that are shown.
MAX_GROUPS = 100

_is_failed = Task.status == constant("failed")


@dataclass(frozen=True)
class StatusCount:
    """How many tasks have a status, and when the oldest of them came to be."""

    status: str
    count: int
    capped: bool
    oldest_at: datetime | None


@dataclass(frozen=True)
class FailureGroup:
    """Failed tasks of one kind with one error."""

    kind: str
    code: str
    message: str
    count: int
    capped: bool
    first_at: datetime
    last_at: datetime
    task_id: str


def status_counts(session: Session) -> list[StatusCount]:
    """All statuses, in the order of a task's life."""
    numbers = session.execute(_STATUSES).one()
    return [
        StatusCount(status, *_capped(count), oldest)
        for status, count, oldest in zip(STATUSES, numbers[::2], numbers[1::2], strict=True)
    ]


def unfinished_by_kind(session: Session) -> tuple[Mapping[tuple[str, str], int], bool]:
    """How many tasks are queued, retrying or running, by kind and status.

    And whether there are more than were looked at: then the most urgent were.
    """
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for kind, status, count in session.execute(_KINDS):
        counts[kind, status] = count
    return counts, sum(counts.values()) > MOST_COUNTED


def failure_groups(session: Session) -> list[FailureGroup]:
    """Failed tasks by kind and error, up to MAX_GROUPS; the one with the newest failure first."""
    groups = [_group(session, *name) for name in _names_of_failures(session)]
    return sorted(groups, key=lambda group: group.last_at, reverse=True)


def _names_of_failures(session: Session) -> Iterator[tuple[str, str]]:
    """Each kind and code that there is: a step in the index for each, whatever it holds."""
    of_group = tuple_(Task.kind, Task.error_code)
    names = (
        select(Task.kind, Task.error_code)
        .where(_is_failed, Task.error_code.is_not(None))
        .order_by(Task.kind, Task.error_code)
        .limit(1)
    )
    found = session.execute(names).first()
    for _ in range(MAX_GROUPS):
        if found is None:
            return
        yield found.kind, found.error_code
        found = session.execute(names.where(of_group > (found.kind, found.error_code))).first()


def _group(session: Session, kind: str, code: str) -> FailureGroup:
    mine = (_is_failed, Task.kind == kind, Task.error_code == code)
    counted = select(Task.kind).where(*mine).limit(MOST_COUNTED + 1).subquery()
    count, capped = _capped(session.scalar(select(func.count()).select_from(counted)) or 0)
    shown = select(Task.id, Task.error_message, Task.finished_at).where(*mine)
    newest = session.execute(shown.order_by(Task.finished_at.desc()).limit(1)).one()
    oldest = session.execute(shown.order_by(Task.finished_at).limit(1)).one()
    return FailureGroup(
        kind=kind,
        code=code,
        message=newest.error_message or "",
        count=count,
        capped=capped,
        first_at=oldest.finished_at,
        last_at=newest.finished_at,
        task_id=newest.id,
    )


def _capped(count: int) -> tuple[int, bool]:
    return min(count, MOST_COUNTED), count > MOST_COUNTED


def _statuses() -> Select[*tuple[Any, ...]]:
    """One statement: of each status the count, and when the first of it came to be."""
    columns: list[ColumnElement[Any]] = []
    for status in STATUSES:
        is_it = Task.status == status
        some = select(Task.id).where(is_it).limit(MOST_COUNTED + 1).subquery()
        columns.append(select(func.count()).select_from(some).scalar_subquery())
        oldest = select(Task.created_at).where(is_it).order_by(Task.id).limit(1)
        columns.append(oldest.scalar_subquery())
    return select(*columns)


def _kinds() -> Select[str, str, int]:
    # Lane and priority are named for the index's sake, which then is all that is read.
    every = one_of(Task.lane, Lane), one_of(Task.priority, Priority)
    due = select(Task.kind, Task.status).where(is_due, *every).limit(MOST_COUNTED + 1)
    runs = select(Task.kind, Task.status).where(*is_running).limit(MOST_COUNTED + 1)
    both = union_all(due.subquery().select(), runs.subquery().select()).subquery()
    return select(both.c.kind, both.c.status, func.count()).group_by(both.c.kind, both.c.status)


_STATUSES = _statuses()
_KINDS = _kinds()
