"""Items over HTTP: actions, the chain, and working all of an item's images."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Path, Query
from sqlalchemy.orm import Session

from service import items, processing
from service.api.deps import Cursor, Limit, PartsDep, QueueRoom
from service.api.problems import responses
from service.errors import Invalid, NotFound, QueueFull
from service.logs import current_request_id
from service.schemas import ActionName, ItemAccepted, ItemDocument, ItemId, Page
from service.tasks import Subject, enqueue

router = APIRouter(tags=["items"])

ItemPath = Annotated[ItemId, Path(description="The item's id, chosen by you.")]
ERRORS = responses(Invalid, QueueFull)


@router.post(
    "/items/{item_id}",
    status_code=202,
    responses=ERRORS,
    dependencies=[QueueRoom],
    summary="Carry out an action on an item, in the background",
)
async def act(
    item_id: ItemPath,
    parts: PartsDep,
    background: BackgroundTasks,
    action: Annotated[ActionName, Query(description="What is done, a word of yours.")] = "create",
) -> ItemAccepted:
    """The item comes into being if need be; the action is kept on it and in the log."""
    document, task_id = await parts.runtime.database.write(
        items.act, item_id, action, current_request_id()
    )
    parts.wake(background, task_id)
    message = f"The action {action} on item {item_id} was accepted."
    return ItemAccepted(**dict(document), message=message, task_id=task_id, task_ids=[task_id])


@router.post(
    "/items/{item_id}/process",
    status_code=202,
    responses=ERRORS,
    dependencies=[QueueRoom],
    summary="Update an item's statistics, then notify the admin",
)
async def process_item(
    item_id: ItemPath, parts: PartsDep, background: BackgroundTasks
) -> ItemAccepted:
    """Two tasks in order: the second runs only if the first succeeded."""
    document, ids = await parts.runtime.database.write(items.process, item_id, current_request_id())
    parts.wake(background, *ids)
    message = f"Item {item_id} is processed in the background."
    return ItemAccepted(**dict(document), message=message, task_id=ids[0], task_ids=ids)


@router.post(
    "/process/{item_id}",
    status_code=202,
    responses=ERRORS,
    dependencies=[QueueRoom],
    tags=["tutorial"],
    summary="Make all variants of all images of an item anew",
)
async def process_images(
    item_id: ItemPath, parts: PartsDep, background: BackgroundTasks
) -> ItemAccepted:
    """A failure is stored on the task, image by image, and the task is retried."""
    document, task_id = await parts.runtime.database.write(_begin, item_id, current_request_id())
    parts.wake(background, task_id)
    message = f"The images of item {item_id} are processed in the background."
    return ItemAccepted(**dict(document), message=message, task_id=task_id, task_ids=[task_id])


@router.get("/items", summary="List items by id")
async def list_items(
    parts: PartsDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[ItemDocument]:
    """A page of items."""
    found = await parts.runtime.database.read(items.page, cursor, limit)
    return Page(items=found, next=found[-1].id if len(found) == limit else None)


@router.get("/items/{item_id}", responses=responses(NotFound, Invalid), summary="An item")
async def get_item(item_id: ItemPath, parts: PartsDep) -> ItemDocument:
    """One item with its statistics."""
    return await parts.runtime.database.read(items.get, item_id)


def _begin(session: Session, item_id: str, request_id: str | None) -> tuple[ItemDocument, str]:
    items.ensure(session, item_id)
    task_id = enqueue(
        session,
        processing.process_item,
        {"item_id": item_id},
        subject=Subject("item", item_id),
        request_id=request_id,
    )
    return items.get(session, item_id), task_id
