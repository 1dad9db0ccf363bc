"""Users over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Body, Path, Query
from pydantic import EmailStr

from service import users
from service.api.deps import BODY_ERRORS, Cursor, JsonRoute, Limit, PartsDep, QueueRoom
from service.api.problems import responses
from service.errors import AlreadyExists, Invalid, NotFound, QueueFull
from service.logs import current_request_id
from service.notifications import channel_for
from service.schemas import Page, UserAccepted, UserDocument, UserRequest

router = APIRouter(tags=["users"], route_class=JsonRoute)


@router.post(
    "/users",
    status_code=201,
    responses=responses(*BODY_ERRORS, Invalid, AlreadyExists, QueueFull),
    dependencies=[QueueRoom],
    summary="Create a user; a welcome follows in the background",
)
async def create_user(
    parts: PartsDep,
    background: BackgroundTasks,
    user: Annotated[UserRequest | None, Body()] = None,
    email: Annotated[
        EmailStr | None, Query(max_length=320, description="Instead of a body.")
    ] = None,
) -> UserAccepted:
    """From a JSON body, or from `?email=` as the tutorial does."""
    address = user.email if user else email
    if address is None:
        raise Invalid("Name an e-mail address, in the body or as `?email=`.", field="email")
    document, task_id = await parts.runtime.database.write(
        users.create,
        email=address,
        name=user.name if user else None,
        channel=channel_for(None, parts.runtime.notifiers),
        request_id=current_request_id(),
    )
    parts.wake(background, task_id)
    message = "The user was created; a welcome is on its way."
    return UserAccepted(**dict(document), message=message, task_id=task_id)


@router.get("/users", summary="List users, newest first")
async def list_users(
    parts: PartsDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[UserDocument]:
    """A page of users."""
    found = await parts.runtime.database.read(users.page, cursor, limit)
    return Page(items=found, next=found[-1].id if len(found) == limit else None)


@router.get("/users/{user_id}", responses=responses(NotFound), summary="A user")
async def get_user(user_id: Annotated[str, Path(max_length=64)], parts: PartsDep) -> UserDocument:
    """One user."""
    return await parts.runtime.database.read(users.get, user_id)
