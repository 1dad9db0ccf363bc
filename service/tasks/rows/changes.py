"""Which tasks have changed since the last look, for those who follow them.

Three places tell: the lines of the timelines, the ids of new tasks (no line is spent on those), and
the progress of what runs. Nothing is written for it, and all three are read by an index.

Lines are numbered when they are written and seen when they are committed: so one may turn up after
others with higher numbers. Lines are read again until no transaction is under way that could add
one below; only then they count as settled. Ids are ordered by the clocks of those who made them:
so those of the last WINDOW are read again. A task whose commit takes longer, or whose maker's clock
is slower by more, is seen at its first line instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from service.ids import first_id, now
from service.models import Task, TaskEvent
from service.tasks.rows.statements import is_running

#: How far back ids of new tasks are read, and how many of them.
WINDOW = timedelta(seconds=10)
MOST_NEW = 5_000
#: Lines that are read at one look; past it, too much has happened to be told one by one.
MOST_LINES = 2_000
#: Running tasks whose progress is looked at.
MOST_RUNNING = 1_000
#: Of a number in a position: more would be no time that a calendar knows.
MOST_DIGITS = 13


@dataclass(frozen=True)
class Position:
    """A place among the changes: all lines up to `line` were seen, and what was new at `at`."""

    line: int
    at: datetime

    def __str__(self) -> str:
        return f"{self.line}.{int(self.at.timestamp() * 1000)}"

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """The position that was written so; None if none was."""
        line, _, milliseconds = text.partition(".")
        if not (_is_number(line) and _is_number(milliseconds)):
            return None
        return cls(int(line), datetime.fromtimestamp(int(milliseconds) / 1000, UTC))


@dataclass(frozen=True)
class Known:
    """What one follower has seen, which tells what is new at its next look."""

    position: Position
    #: The newest line at an earlier look, and the first transaction that had not begun then: once
    #: all before it are over, no line below can come any more.
    newest: int = 0
    horizon: int = 0
    #: Lines that were seen and are not settled.
    ahead: frozenset[int] = frozenset()
    new: frozenset[str] = frozenset()
    progress: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Changes:
    """The ids of the tasks that changed; null where there were too many to be told."""

    ids: Sequence[str] | None
    known: Known


def begin(session: Session) -> Known:
    """Where whoever follows from now on begins."""
    at, newest = now(), _newest_line(session)
    _, horizon = _transactions(session)
    # Where there are transactions beside this one, some may be about to add lines below.
    settled = max(0, newest - MOST_LINES // 2) if horizon else newest
    ahead = session.scalars(select(TaskEvent.id).where(TaskEvent.id > settled))
    new = frozenset(_new_since(session, at))
    position = Position(settled, at)
    return Known(position, newest, horizon, frozenset(ahead), new, _progress(session))


def look(session: Session, known: Known) -> Changes:
    """What has changed since, and what is known now."""
    at, newest = now(), _newest_line(session)
    oldest, horizon = _transactions(session)
    settled = known.position.line
    lines = _lines_since(session, settled)
    if lines is None or newest < settled:  # pruned to the last line, and numbered anew
        return Changes(None, begin(session))
    new, progress = frozenset(_new_since(session, at)), _progress(session)
    changed = {task_id for line, task_id in lines if line not in known.ahead}
    changed |= new - known.new
    changed |= {task_id for task_id, one in progress.items() if known.progress.get(task_id) != one}
    awaited = (known.newest, known.horizon)
    if oldest >= known.horizon:
        settled, awaited = known.newest, (newest, horizon)
    ahead = frozenset(line for line, _ in lines if line > settled)
    seen = Known(Position(settled, at), *awaited, ahead, new, progress)
    return Changes(sorted(changed), seen)


def missed(session: Session, since: Position) -> Sequence[str] | None:
    """The tasks that changed since a position, and perhaps a few more; null for too many."""
    lines = _lines_since(session, since.line)
    if lines is None or _newest_line(session) < since.line:
        return None
    new = _new_since(session, since.at)
    changed = {task_id for _, task_id in lines} | set(new) | set(_progress(session))
    return sorted(changed) if len(new) < MOST_NEW else None


def _newest_line(session: Session) -> int:
    return session.scalar(select(func.max(TaskEvent.id))) or 0


def _lines_since(session: Session, line: int) -> Sequence[tuple[int, str]] | None:
    """Number and task of each line after that one; null for too many."""
    since = select(TaskEvent.id, TaskEvent.task_id).where(TaskEvent.id > line)
    found = session.execute(since.order_by(TaskEvent.id).limit(MOST_LINES + 1)).all()
    return [(number, task_id) for number, task_id in found] if len(found) <= MOST_LINES else None


def _new_since(session: Session, at: datetime) -> Sequence[str]:
    young = select(Task.id).where(Task.id >= first_id(at - WINDOW))
    return session.scalars(young.order_by(Task.id.desc()).limit(MOST_NEW)).all()


def _progress(session: Session) -> Mapping[str, float]:
    running = select(Task.id, Task.progress).where(*is_running).limit(MOST_RUNNING)
    return dict(session.execute(running).all())


def _transactions(session: Session) -> tuple[int, int]:
    """The oldest that is under way, and the first that has not begun; 0 and 0 where each is seen
    in the order of its numbers: SQLite has one writer."""
    if session.connection().dialect.name != "postgresql":
        return 0, 0
    oldest, horizon = session.execute(_SNAPSHOT).one()
    return oldest, horizon


_SNAPSHOT = text(
    "SELECT pg_snapshot_xmin(now)::text::bigint, pg_snapshot_xmax(now)::text::bigint "
    "FROM pg_current_snapshot() AS now"
)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= MOST_DIGITS
