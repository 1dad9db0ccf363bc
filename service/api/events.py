"""Live updates over HTTP: what happens to all tasks and images, to one task, to one image."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.sse import EventSourceResponse
from starlette.responses import Response

from service import images
from service.api.deps import ImageId, Parts, PartsDep
from service.api.live import EVERYTHING, EventStream, Stream, Topic
from service.api.live.looking import SETTLED
from service.api.live.messages import Message, of_document
from service.api.problems import responses
from service.api.tasks import TaskId
from service.errors import DatabaseFailed, NotFound, TooManyStreams
from service.tasks import queries
from service.tasks.words import FINAL

router = APIRouter(tags=["events"])

LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        max_length=64,
        description="The id of the last event that came; a browser sends it by itself.",
    ),
]
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events, until one side has had enough.",
        "content": {EventSourceResponse.media_type: {"schema": {"type": "string"}}},
    }
}
_OVER: dict[int | str, dict[str, Any]] = {204: {"description": "It was over, and is known to be."}}


@router.get(
    "/events",
    response_class=Response,
    responses=_STREAM | responses(TooManyStreams, DatabaseFailed),
    summary="Follow all tasks and images",
)
async def follow(parts: PartsDep, last: LastEventId = None) -> Response:
    """`task` with a task as lists show it, `image` with `id` and `status`: the newest state of
    each, a few times a second at most; `reset` when everything is to be loaded anew."""
    await parts.follower.begin()
    parts.follower.check_room()
    return EventStream(parts.follower, Stream(EVERYTHING, last))


@router.get(
    "/tasks/{task_id}/events",
    response_class=Response,
    responses=_STREAM | _OVER | responses(NotFound, TooManyStreams, DatabaseFailed),
    summary="Follow a task",
)
async def follow_task(task_id: TaskId, parts: PartsDep, last: LastEventId = None) -> Response:
    """`task` with its document, now and whenever it changes, until it has finished."""
    document = await parts.runtime.database.read(queries.get, task_id)
    message = of_document("task", task_id, document)
    return _following(parts, message, last, is_over=document.status in FINAL)


@router.get(
    "/images/{image_id}/events",
    response_class=Response,
    responses=_STREAM | _OVER | responses(NotFound, TooManyStreams, DatabaseFailed),
    summary="Follow an image",
)
async def follow_image(image_id: ImageId, parts: PartsDep, last: LastEventId = None) -> Response:
    """`image` with its document, now and whenever it changes, and `task` with how far its task is,
    until it is ready or has failed."""
    view = parts.runtime.view
    document = await parts.runtime.database.read(images.get, image_id, view)
    message = of_document("image", image_id, document)
    return _following(parts, message, last, is_over=document.status in SETTLED)


def _following(parts: Parts, now: Message, last: str | None, *, is_over: bool) -> Response:
    """A stream about one thing; 204 where it is over and the client knows, which ends its coming
    back. Raises: TooManyStreams."""
    if is_over and last == now.digest:
        return Response(status_code=204)
    parts.follower.check_room()
    return EventStream(parts.follower, Stream(Topic(now.event, now.about), last))
