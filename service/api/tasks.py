"""Tasks over HTTP: look, retry, cancel, make more urgent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Path, Query, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from service.api.deps import BODY_ERRORS, JsonRoute, PartsDep, QueueRoom
from service.api.problems import responses
from service.errors import NotFound, QueueFull, WrongState
from service.schemas import Page, PriorityName, TaskDocument, TaskSummary
from service.tasks import Priority, Registry, queries, rows
from service.tasks.filters import TaskFilter

router = APIRouter(tags=["tasks"], route_class=JsonRoute)

TaskId = Annotated[str, Path(max_length=64, description="The task's id.")]


class NewPriority(BaseModel):
    """How urgent a task is to be."""

    model_config = ConfigDict(extra="forbid")

    priority: PriorityName


@router.get("/tasks", summary="List tasks, newest first")
async def list_tasks(parts: PartsDep, wanted: Annotated[TaskFilter, Query()]) -> Page[TaskSummary]:
    """A page of tasks that fit; without timelines. A short page may have a next one."""
    return await parts.runtime.database.read(queries.page, wanted)


@router.get("/tasks/{task_id}", responses=responses(NotFound), summary="A task")
async def get_task(task_id: TaskId, parts: PartsDep) -> TaskDocument:
    """The task, its attempts, its last error and its timeline."""
    return await parts.runtime.database.read(queries.get, task_id)


@router.post(
    "/tasks/{task_id}/retry",
    responses=responses(NotFound, WrongState, QueueFull),
    dependencies=[QueueRoom],
    summary="Start a new round of attempts",
)
async def retry_task(task_id: TaskId, parts: PartsDep, background: BackgroundTasks) -> TaskDocument:
    """For a failed or cancelled task; what was cancelled with it waits for it again."""

    def retry(session: Session) -> TaskDocument:
        rows.retry(session, task_id)
        return queries.get(session, task_id)

    document = await parts.runtime.database.write(retry)
    parts.wake(background, task_id)
    return document


@router.post(
    "/tasks/{task_id}/cancel",
    responses={
        202: {"model": TaskDocument, "description": "It runs, and was asked to stop."},
        **responses(NotFound, WrongState),
    },
    summary="Cancel a task",
)
async def cancel_task(task_id: TaskId, parts: PartsDep, response: Response) -> TaskDocument:
    """And what waits for it in its chain. A running one is asked to stop at its next step."""
    document = await parts.runtime.database.write(_cancel, parts.runtime.registry, task_id)
    response.status_code = 200 if document.status == "cancelled" else 202
    return document


@router.post(
    "/tasks/{task_id}/priority",
    responses=responses(*BODY_ERRORS, NotFound, WrongState),
    summary="Give a task another priority",
)
async def prioritise_task(
    task_id: TaskId, wanted: NewPriority, parts: PartsDep, background: BackgroundTasks
) -> TaskDocument:
    """As long as it has not begun."""
    priority = Priority.named(wanted.priority)

    def prioritise(session: Session) -> TaskDocument:
        rows.prioritise(session, task_id, priority)
        return queries.get(session, task_id)

    document = await parts.runtime.database.write(prioritise)
    parts.wake(background, task_id)
    return document


def _cancel(session: Session, registry: Registry, task_id: str) -> TaskDocument:
    registry.tell(session, rows.cancel(session, task_id))
    return queries.get(session, task_id)
