"""Many tasks at once over HTTP: retried, cancelled or made more urgent by filter.

A bounded number a request.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, ClassVar, Self

from fastapi import APIRouter, BackgroundTasks
from pydantic import ConfigDict, Field, field_validator, model_validator
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from service.api.deps import BODY_ERRORS, JsonRoute, PartsDep
from service.api.problems import responses
from service.errors import Invalid, QueueFull
from service.models import Task
from service.runtime import Runtime
from service.schemas import Document, PriorityName
from service.tasks import Priority, rows
from service.tasks.filters import TasksWanted, conditions
from service.tasks.rows import Verb
from service.tasks.rows.control import RETRYABLE
from service.tasks.words import LIVE, NOT_BEGUN

router = APIRouter(tags=["tasks"], route_class=JsonRoute)

#: Tasks that one request changes at most, and that one transaction does.
MAX_TASKS = 1_000
BATCH = 100


class ManyWanted(TasksWanted):
    """Which tasks are to be changed: by `status` or `ids`, and whatever else narrows it down."""

    model_config = ConfigDict(extra="forbid")
    #: Statuses that make sense here.
    possible: ClassVar[Collection[str]] = ()

    ids: list[Annotated[str, Field(max_length=64)]] | None = Field(
        None, min_length=1, max_length=MAX_TASKS, description="Only these."
    )

    @field_validator("status")
    @classmethod
    def _can_be(cls, statuses: list[str] | None) -> list[str] | None:
        if set(statuses or ()) - set(cls.possible):
            raise ValueError(f"Only a task that is {', '.join(cls.possible)} can be meant.")
        return statuses

    @model_validator(mode="after")
    def _is_meant(self) -> Self:
        if not self.status and self.ids is None:
            raise ValueError("Name a `status` or `ids`: not all tasks there are can be meant.")
        return self


class RetryWanted(ManyWanted):
    """Which tasks are to be tried again."""

    possible = RETRYABLE


class CancelWanted(ManyWanted):
    """Which tasks are to be cancelled."""

    possible = LIVE


class PriorityWanted(ManyWanted):
    """Which tasks are to have another priority, and which one."""

    possible = NOT_BEGUN

    to: PriorityName


class Changed(Document):
    """What became of it. Ask again while `remaining` is not 0."""

    changed: int
    remaining: int = Field(description="Wanted ones that are left, counted up to 10,000.")


@router.post(
    "/tasks/retry",
    responses=responses(*BODY_ERRORS, Invalid, QueueFull),
    summary="Start a new round of attempts at many tasks",
)
async def retry_tasks(wanted: RetryWanted, parts: PartsDep, background: BackgroundTasks) -> Changed:
    """Up to 1,000 a request, oldest first, as far as the queue has room."""
    fitting, changed = _conditions(wanted), 0
    for batch in await _batches(parts.runtime, rows.RETRY, fitting):
        try:
            await parts.admission.check_queue(len(batch))
        except QueueFull:
            if not changed:
                raise
            break
        changed += await parts.runtime.database.write(_change, parts.runtime, rows.RETRY, batch)
    parts.wake(background)
    return await _changed(parts.runtime, rows.RETRY, fitting, changed)


@router.post(
    "/tasks/cancel",
    responses=responses(*BODY_ERRORS, Invalid),
    summary="Cancel many tasks",
)
async def cancel_tasks(wanted: CancelWanted, parts: PartsDep) -> Changed:
    """Up to 1,000 a request, oldest first. Those that run are asked to stop."""
    fitting, changed = _conditions(wanted), 0
    for batch in await _batches(parts.runtime, rows.CANCEL, fitting):
        changed += await parts.runtime.database.write(_change, parts.runtime, rows.CANCEL, batch)
    return await _changed(parts.runtime, rows.CANCEL, fitting, changed)


@router.post(
    "/tasks/priority",
    responses=responses(*BODY_ERRORS, Invalid),
    summary="Give many tasks another priority",
)
async def prioritise_tasks(
    wanted: PriorityWanted, parts: PartsDep, background: BackgroundTasks
) -> Changed:
    """Up to 1,000 a request, oldest first; of those that have not begun."""
    verb = rows.prioritising(Priority.named(wanted.to))
    fitting, changed = _conditions(wanted), 0
    for batch in await _batches(parts.runtime, verb, fitting):
        changed += await parts.runtime.database.write(_change, parts.runtime, verb, batch)
    parts.wake(background)
    return await _changed(parts.runtime, verb, fitting, changed)


def _conditions(wanted: ManyWanted) -> list[ColumnElement[bool]]:
    named = [Task.id.in_(wanted.ids)] if wanted.ids else []
    return [*conditions(wanted), *named]


async def _batches(
    runtime: Runtime, verb: Verb, conditions: list[ColumnElement[bool]]
) -> list[list[str]]:
    """Found on a snapshot, so that the search holds up no writer; each is looked at again."""
    ids = await runtime.database.read(verb.find, conditions, MAX_TASKS)
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]


def _change(session: Session, runtime: Runtime, verb: Verb, batch: list[str]) -> int:
    changed, ended = verb.apply(session, batch)
    runtime.registry.tell(session, ended)
    return changed


async def _changed(
    runtime: Runtime, verb: Verb, conditions: list[ColumnElement[bool]], changed: int
) -> Changed:
    remaining = await runtime.database.read(verb.remaining, conditions)
    return Changed(changed=changed, remaining=remaining)
