"""Which tasks are wanted: the words of a filter, and the rows they mean.

A list looks at no more than MOST_LOOKED_AT rows for a page, in the order of an index, and tells
where it stopped: so a word that few rows answer to costs no more than one that all do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, defer

from service.ids import first_id
from service.models import Task
from service.schedule import PointInTime
from service.schemas import PriorityName
from service.tasks.registry import Priority
from service.tasks.words import STATUSES

Condition = ColumnElement[bool]

#: Rows that one page is searched for in.
MOST_LOOKED_AT = 5_000
#: By how much the clocks that made an id and a row's time may differ.
CLOCKS_DIFFER = timedelta(minutes=1)


def _listed(value: object) -> object:
    """One word is a list of one."""
    return [value] if isinstance(value, str) else value


def _known(statuses: list[str] | None) -> list[str] | None:
    if unknown := set(statuses or ()) - set(STATUSES):
        raise ValueError(f"There is no status {min(unknown)!r}; there are {', '.join(STATUSES)}.")
    return statuses


#: One status or several; an empty list is none.
Statuses = Annotated[
    list[str],
    BeforeValidator(_listed),
    Field(max_length=len(STATUSES), json_schema_extra={"items": {"enum": [*STATUSES]}}),
    AfterValidator(_known),
]


class TasksWanted(BaseModel):
    """Which tasks are meant; null for all."""

    status: Statuses | None = Field(None, description="One or several.")
    kind: str | None = Field(None, max_length=64, examples=["image.process"])
    priority: PriorityName | None = None
    subject_type: str | None = Field(None, max_length=32, examples=["image"])
    subject_id: str | None = Field(None, max_length=64)
    request_id: str | None = Field(None, max_length=64, description="Begun by this request.")
    error_code: str | None = Field(None, max_length=64, examples=["broken_image"])
    error: str | None = Field(
        None, min_length=1, max_length=200, description="Text in the error's message."
    )
    created_after: PointInTime | None = None
    created_before: PointInTime | None = None
    finished_after: PointInTime | None = None


class TaskFilter(TasksWanted):
    """Which tasks a list shows, and from where."""

    cursor: str | None = Field(None, max_length=64, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=100, description="Entries on a page.")


#: What is read of a row for a list: not what may be long.
LISTED = (defer(Task.error_traceback), defer(Task.payload))


@dataclass(frozen=True)
class Found:
    """The rows of a page, newest first, and where the next one begins; null at the end."""

    rows: Sequence[Task]
    next: str | None


def find(session: Session, wanted: TaskFilter) -> Found:
    """A page of the wanted tasks; a short one where they are far between."""
    branches = [[*driven, *_between(wanted)] for driven in _driving(wanted)]
    floor = _floor(session, branches) if _narrows(wanted) else None
    fitting = [*conditions(wanted), *([Task.id >= floor] if floor else [])]
    # Each by itself, so that each is read in the order of its index and no further than needed.
    rows = [
        row
        for branch in branches
        for row in session.scalars(
            select(Task)
            .options(*LISTED)
            .where(*branch, *fitting)
            .order_by(Task.id.desc())
            .limit(wanted.limit)
        )
    ]
    page = sorted(rows, key=lambda row: row.id, reverse=True)[: wanted.limit]
    return Found(page, page[-1].id if len(page) == wanted.limit else floor)


def conditions(wanted: TasksWanted) -> list[Condition]:
    """The wanted tasks, as a statement asks for them."""
    values = {
        Task.kind: wanted.kind,
        Task.priority: Priority.named(wanted.priority) if wanted.priority else None,
        _type_of(wanted): wanted.subject_type,
        Task.subject_id: wanted.subject_id,
        Task.request_id: wanted.request_id,
        Task.error_code: wanted.error_code,
    }
    equal = [column == value for column, value in values.items() if value is not None]
    status = [Task.status.in_(wanted.status)] if wanted.status else []
    text = [Task.error_message.icontains(wanted.error, autoescape=True)] if wanted.error else []
    return [*equal, *status, *text, *_times(wanted), *_between(wanted)]


def _type_of(wanted: TasksWanted) -> Any:
    """Without an id, nothing that the subjects' index could be used for: its order is no help."""
    return Task.subject_type if wanted.subject_id else Task.subject_type.concat("")


def _times(wanted: TasksWanted) -> list[Condition]:
    times: list[Condition] = []
    if wanted.created_after:
        times.append(Task.created_at >= wanted.created_after)
    if wanted.created_before:
        times.append(Task.created_at < wanted.created_before)
    if wanted.finished_after:
        times.append(Task.finished_at >= wanted.finished_after)
    return times


def _between(wanted: TasksWanted) -> list[Condition]:
    """Where in the order of the ids: an id holds the time at which it was made."""
    places: list[Condition] = []
    if wanted.created_after:
        places.append(Task.id >= first_id(wanted.created_after - CLOCKS_DIFFER))
    if wanted.created_before:
        places.append(Task.id < first_id(wanted.created_before + CLOCKS_DIFFER))
    if isinstance(wanted, TaskFilter) and wanted.cursor:
        places.append(Task.id < wanted.cursor)
    return places


def _driving(wanted: TasksWanted) -> list[list[Condition]]:
    """What an index finds in the order of the ids; several statuses are looked up one by one."""
    if wanted.subject_type and wanted.subject_id:
        about = (Task.subject_type == wanted.subject_type, Task.subject_id == wanted.subject_id)
        return [[*about]]
    if wanted.status:
        return [[Task.status == status] for status in dict.fromkeys(wanted.status)]
    return [[Task.kind == wanted.kind] if wanted.kind else []]


def _narrows(wanted: TasksWanted) -> bool:
    """Whether rows have to be looked at and passed over."""
    asked = wanted.model_dump(exclude_none=True, exclude={"cursor", "limit", "created_after"})
    return bool(asked) and set(asked) not in ({"status"}, {"kind"}, {"subject_type", "subject_id"})


def _floor(session: Session, branches: Sequence[Sequence[Condition]]) -> str | None:
    """The id down to which a page is searched; null where all there is can be looked at."""
    last = (
        session.scalar(
            select(Task.id)
            .where(*branch)
            .order_by(Task.id.desc())
            .offset(MOST_LOOKED_AT - 1)
            .limit(1)
        )
        for branch in branches
    )
    return max(filter(None, last), default=None)
