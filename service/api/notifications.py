"""Notifications over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Body, Path
from pydantic import EmailStr, TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from service import notifications, request_keys
from service.api.deps import (
    BODY_ERRORS,
    Cursor,
    JsonRoute,
    Limit,
    Parts,
    PartsDep,
    RequestKey,
)
from service.api.problems import responses
from service.errors import ChannelNotConfigured, Invalid, KeyReused, NotFound, QueueFull
from service.logs import current_request_id
from service.models import new_id, now
from service.schemas import (
    NotificationAccepted,
    NotificationDocument,
    NotificationRequest,
    Page,
)
from service.tasks import Priority

router = APIRouter(tags=["notifications"], route_class=JsonRoute)

_ADDRESS: TypeAdapter[str] = TypeAdapter(EmailStr)
ERRORS = responses(*BODY_ERRORS, Invalid, ChannelNotConfigured, QueueFull)


@router.post(
    "/notifications",
    status_code=202,
    responses=responses(
        *BODY_ERRORS, NotFound, Invalid, ChannelNotConfigured, KeyReused, QueueFull
    ),
    summary="Send a message in the background",
)
async def notify(
    wanted: NotificationRequest,
    parts: PartsDep,
    background: BackgroundTasks,
    key: RequestKey = None,
) -> NotificationAccepted:
    """Over the channel that is named, or the default one; at once, or at a time to come."""
    return await _send(wanted, parts, background, key)


@router.post(
    "/send-notification/{email}",
    status_code=202,
    responses=ERRORS,
    tags=["tutorial"],
    summary="Send a message to an address, as the tutorial does",
)
async def send_notification(
    email: Annotated[EmailStr, Path(max_length=320)],
    parts: PartsDep,
    background: BackgroundTasks,
    message: Annotated[str, Body(embed=True, max_length=20_000)] = "some notification",
) -> NotificationAccepted:
    """The text is the body's `message`, or the tutorial's own."""
    wanted = NotificationRequest(recipient=email, subject="Notification", body=message or " ")
    return await _send(wanted, parts, background)


@router.get("/notifications", summary="List notifications, newest first")
async def list_notifications(
    parts: PartsDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[NotificationDocument]:
    """A page of notifications."""
    found = await parts.runtime.database.read(notifications.page, cursor, limit)
    return Page(items=found, next=found[-1].id if len(found) == limit else None)


@router.get(
    "/notifications/{notification_id}", responses=responses(NotFound), summary="A notification"
)
async def get_notification(
    notification_id: Annotated[str, Path(max_length=64)], parts: PartsDep
) -> NotificationDocument:
    """One notification and whether it was sent."""
    return await parts.runtime.database.read(notifications.get, notification_id)


async def _send(
    wanted: NotificationRequest,
    parts: Parts,
    background: BackgroundTasks,
    key: str | None = None,
) -> NotificationAccepted:
    run_at = wanted.run_at if wanted.run_at and wanted.run_at > now() else None
    await (parts.admission.check_schedule() if run_at else parts.admission.check_queue())
    channel = notifications.channel_for(wanted.channel, parts.runtime.notifiers)
    recipient = _address(wanted.recipient) if channel == "email" else wanted.recipient
    priority = Priority.named(wanted.priority) if wanted.priority else None
    request_id, notification_id = current_request_id(), new_id()

    def queue(session: Session) -> NotificationDocument:
        first = request_keys.first(
            session, "/notifications", key, wanted.model_dump_json(), notification_id
        )
        if first != notification_id:
            return notifications.get(session, first)
        return notifications.queue(
            session,
            channel=channel,
            recipient=recipient,
            subject=wanted.subject,
            body=wanted.body,
            priority=priority,
            request_id=request_id,
            run_at=run_at,
            notification_id=notification_id,
        )

    document = await parts.runtime.database.write(queue)
    parts.wake(background, document.task_id)
    return NotificationAccepted(**dict(document), message="Notification sent in the background.")


def _address(text: str) -> str:
    try:
        return _ADDRESS.validate_python(text)
    except ValidationError:
        raise Invalid("The recipient is not an e-mail address.", field="recipient") from None
