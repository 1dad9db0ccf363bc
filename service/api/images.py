"""Images over HTTP, once they are stored: look, process again, delete. `uploads` takes them in."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from service import images, presets, request_keys
from service.api.answers import accepted, answer
from service.api.deps import (
    BODY_ERRORS,
    Cursor,
    ImageId,
    JsonRoute,
    Limit,
    PartsDep,
    QueueRoom,
    RequestKey,
)
from service.api.problems import responses
from service.api.waiting import wanted_wait
from service.errors import (
    BadPipeline,
    DiskFull,
    Invalid,
    KeyReused,
    NotFound,
    QueueFull,
    UnknownPreset,
)
from service.imaging import Pipeline
from service.logs import current_request_id
from service.models import new_id
from service.schemas import (
    ImageDocument,
    ImageStatus,
    ItemId,
    Page,
    PriorityName,
)
from service.tasks import Priority

router = APIRouter(tags=["images"], route_class=JsonRoute)


#: Statuses of an image that a task is still to work on.
UNFINISHED = ("received", "processing")


class ProcessRequest(BaseModel):
    """What to make of a stored image."""

    model_config = ConfigDict(extra="forbid")

    presets: list[str] = Field(default=[], max_length=20, examples=[["medium"]])
    pipeline: Pipeline | None = None
    priority: PriorityName | None = None


@router.get("/images", summary="List images, newest first")
async def list_images(
    parts: PartsDep,
    cursor: Cursor = None,
    limit: Limit = 50,
    item_id: Annotated[ItemId | None, Query(description="Only this item's.")] = None,
    status: Annotated[ImageStatus | None, Query(description="Only with this status.")] = None,
) -> Page[ImageDocument]:
    """A page of image documents."""
    runtime = parts.runtime
    found = await runtime.database.read(
        images.page, cursor, limit, item_id=item_id, status=status, view=runtime.view
    )
    return Page(items=found, next=found[-1].id if len(found) == limit else None)


@router.get(
    "/images/{image_id}",
    response_model=ImageDocument,
    responses=responses(NotFound),
    summary="An image's document",
)
async def get_image(image_id: ImageId, request: Request, parts: PartsDep) -> Response:
    """The image, its variants and how far they are.

    With `Prefer: wait=10` the answer comes when the work has ended, or after ten seconds.
    """
    read, view = parts.runtime.database.read, parts.runtime.view
    document = await read(images.get, image_id, view)
    until = time.monotonic() + wanted_wait(request)
    ended = False
    while document.status in UNFINISHED and not ended and (left := until - time.monotonic()) > 0:
        ended = await parts.waiting.for_task(document.task_id, left)
        document = await read(images.get, image_id, view)
    return answer(document)


@router.delete(
    "/images/{image_id}",
    status_code=204,
    responses=responses(NotFound),
    summary="Delete an image with its files",
)
async def delete_image(image_id: ImageId, parts: PartsDep, background: BackgroundTasks) -> None:
    """The rows go at once, the files by a task."""
    await parts.runtime.database.write(images.remove, image_id, current_request_id())
    parts.wake(background)


@router.post(
    "/images/{image_id}/process",
    status_code=202,
    response_model=ImageDocument,
    responses=responses(
        *BODY_ERRORS, NotFound, Invalid, UnknownPreset, BadPipeline, KeyReused, QueueFull, DiskFull
    ),
    dependencies=[QueueRoom],
    summary="Run presets or a pipeline on a stored image",
)
async def process_image(
    image_id: ImageId,
    wanted: ProcessRequest,
    parts: PartsDep,
    background: BackgroundTasks,
    key: RequestKey = None,
) -> Response:
    """Add variants, or make existing ones anew."""
    await parts.admission.check_disk()
    runtime = parts.runtime
    names = wanted.presets or ([presets.NO_PRESET] if wanted.pipeline else [])
    marks = runtime.settings.watermarks
    recipes = presets.recipes_for(runtime.presets, names, wanted.pipeline, marks)
    priority = Priority.named(wanted.priority) if wanted.priority else None
    request_id, view, task_id = current_request_id(), runtime.view, new_id()
    asked = image_id + wanted.model_dump_json()

    def add(session: Session) -> ImageDocument:
        first = request_keys.first(session, "/images/process", key, asked, task_id)
        if first != task_id:
            document = images.get(session, image_id, view)
            return document.model_copy(update={"task_id": first})
        return images.add_variants(
            session,
            image_id,
            recipes,
            priority=priority,
            request_id=request_id,
            view=view,
            task_id=task_id,
        )

    document = await runtime.database.write(add)
    parts.wake(background, document.task_id)
    return accepted(document)
