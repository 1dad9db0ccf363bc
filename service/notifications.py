"""Messages: a row and a task that delivers it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from service.errors import ChannelNotConfigured, NotFound, ServiceError, SubjectGone
from service.inserts import add_rows
from service.models import Notification, new_id, now
from service.notifiers import Message
from service.schemas import ErrorDocument, NotificationDocument
from service.tasks import Outcome, Priority, Retry, Subject, Work, enqueue, task


def queue(
    session: Session,
    *,
    channel: str,
    recipient: str,
    subject: str,
    body: str,
    priority: Priority | None = None,
    request_id: str | None = None,
    run_at: datetime | None = None,
    notification_id: str | None = None,
    about: Subject | None = None,
) -> NotificationDocument:
    """Write a message and the task that sends it, at `run_at` or at once.

    In the caller's transaction. The task is about what caused the message, or else about the
    message itself.
    """
    row: dict[str, Any] = {
        "id": notification_id or new_id(),
        "channel": channel,
        "recipient": recipient,
        "subject": subject,
        "body": body,
        "status": "queued",
        "task_id": new_id(),
        "run_at": run_at,
        "created_at": now(),
    }
    add_rows(session, Notification, row)
    enqueue(
        session,
        send,
        {"notification_id": row["id"]},
        subject=about or Subject("notification", row["id"]),
        priority=priority,
        request_id=request_id,
        task_id=row["task_id"],
        run_at=run_at,
    )
    return document(Notification(**row))


def channel_for(wanted: str | None, configured: Mapping[str, Any]) -> str:
    """The channel to use: the wanted one, or mail where there is any, or the file.

    Raises: ChannelNotConfigured.
    """
    channel = wanted or ("email" if "email" in configured else "file")
    if channel not in configured:
        raise ChannelNotConfigured(
            f"The channel {channel} is not configured; there is {', '.join(configured)}.",
            field="channel",
        )
    return channel


def page(session: Session, cursor: str | None, limit: int) -> list[NotificationDocument]:
    """Up to `limit` messages before `cursor`, newest first."""
    statement = select(Notification).order_by(Notification.id.desc()).limit(limit)
    if cursor:
        statement = statement.where(Notification.id < cursor)
    return [document(row) for row in session.scalars(statement)]


def get(session: Session, notification_id: str) -> NotificationDocument:
    """One message. Raises: NotFound."""
    return document(_find(session, notification_id))


def document(row: Notification) -> NotificationDocument:
    """The document of a row."""
    error = (
        ErrorDocument(code=row.error_code, message=row.error_message or "")
        if row.error_code
        else None
    )
    return NotificationDocument(
        id=row.id,
        channel=row.channel,
        recipient=row.recipient,
        subject=row.subject,
        body=row.body,
        status=row.status,
        task_id=row.task_id,
        run_at=row.run_at,
        created_at=row.created_at,
        sent_at=row.sent_at,
        error=error,
    )


def _mark_failed(session: Session, payload: Mapping[str, Any], code: str, message: str) -> None:
    session.execute(
        update(Notification)
        .where(Notification.id == payload["notification_id"])
        .values(status="failed", error_code=code, error_message=message)
    )


@task(
    "notification.send",
    retry=Retry(max_attempts=6, base_seconds=2, cap_seconds=600),
    time_limit=60,
    on_failure=_mark_failed,
)
async def send(work: Work, notification_id: str) -> Outcome:
    """Deliver one message over its channel."""
    try:
        row = await work.database.read(get, notification_id)
    except NotFound:
        raise SubjectGone(f"There is no notification {notification_id}.") from None
    if row.channel not in work.notifiers:
        raise ChannelNotConfigured(f"The channel {row.channel} is no longer configured.")
    message = Message(row.id, row.recipient, row.subject, row.body)
    try:
        await work.notifiers[row.channel].send(message)
    except ServiceError:
        work.metrics.notifications.labels(row.channel, "failed").inc()
        raise
    work.metrics.notifications.labels(row.channel, "sent").inc()
    result = {"channel": row.channel, "notification_id": row.id}
    return Outcome(result, lambda session: _mark_sent(session, row.id))


def _mark_sent(session: Session, notification_id: str) -> None:
    session.execute(
        update(Notification)
        .where(Notification.id == notification_id)
        .values(status="sent", sent_at=now(), error_code=None, error_message=None)
    )


def forget(session: Session, ids: Collection[str]) -> None:
    """Remove messages whose tasks are gone."""
    session.execute(delete(Notification).where(Notification.id.in_(ids)))


def _find(session: Session, notification_id: str) -> Notification:
    row = session.get(Notification, notification_id)
    if row is None:
        raise NotFound(f"There is no notification {notification_id}.")
    return row
