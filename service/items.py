"""Items: what images belong to, their statistics, and what is done to them in the background.

An item comes into being when it is first named: by an action, by an upload, by a process request.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from service import notifications
from service.errors import NotFound, SubjectGone
from service.holding import hold
from service.inserts import add_row_unless_there
from service.models import Image, Item, Variant, now
from service.schemas import ItemDocument
from service.tasks import Outcome, Step, Subject, Work, chain, enqueue, task


def ensure(session: Session, item_id: str) -> None:
    """Write the item unless it is there."""
    if session.get(Item, item_id) is None:
        add_row_unless_there(session, Item, {"id": item_id, "created_at": now()})


def act(
    session: Session, item_id: str, action: str, request_id: str | None
) -> tuple[ItemDocument, str]:
    """Have `action` carried out on an item; return its document and the task's id."""
    ensure(session, item_id)
    payload = {"item_id": item_id, "action": action}
    subject = Subject("item", item_id)
    task_id = enqueue(session, carry_out, payload, subject=subject, request_id=request_id)
    return get(session, item_id), task_id


def process(
    session: Session, item_id: str, request_id: str | None
) -> tuple[ItemDocument, list[str]]:
    """Begin the chain: the statistics, then the admin's notice only if they were made."""
    ensure(session, item_id)
    payload = {"item_id": item_id}
    steps = [Step(update_statistics, payload), Step(notify_admin, payload)]
    ids = chain(session, steps, subject=Subject("item", item_id), request_id=request_id)
    return get(session, item_id), ids


def recount(session: Session, item_id: str, request_id: str | None) -> None:
    """Have an item's statistics made anew, unless that is already about to happen."""
    if session.get(Item, item_id) is None:
        return
    enqueue(
        session,
        update_statistics,
        {"item_id": item_id},
        subject=Subject("item", item_id),
        request_id=request_id,
        dedup_key=item_id,
    )


def page(session: Session, cursor: str | None, limit: int) -> list[ItemDocument]:
    """Up to `limit` items after `cursor`, in the order of their ids."""
    statement = select(Item).order_by(Item.id).limit(limit)
    if cursor:
        statement = statement.where(Item.id > cursor)
    return [document(row) for row in session.scalars(statement)]


def get(session: Session, item_id: str) -> ItemDocument:
    """One item. Raises: NotFound."""
    row = session.get(Item, item_id)
    if row is None:
        raise NotFound(f"There is no item {item_id}.")
    return document(row)


def document(row: Item) -> ItemDocument:
    """The document of a row."""
    return ItemDocument(
        id=row.id,
        last_action=row.last_action,
        last_action_at=row.last_action_at,
        image_count=row.image_count,
        variant_count=row.variant_count,
        total_bytes=row.total_bytes,
        last_processed_at=row.last_processed_at,
        created_at=row.created_at,
    )


def recompute(session: Session, item_id: str) -> dict[str, Any]:
    """Write the item's statistics anew from its images. Raises: SubjectGone."""
    if hold(session, Item, item_id) is None:
        raise SubjectGone(f"There is no item {item_id}.")
    mine = Image.item_id == item_id
    images, image_bytes, processed_at = session.execute(
        select(func.count(), func.sum(Image.size_bytes), _latest).where(mine)
    ).one()
    variants, variant_bytes = session.execute(
        select(func.count(), func.sum(Variant.size_bytes))
        .join(Image, Image.id == Variant.image_id)
        .where(mine, Variant.status == "ready")
    ).one()
    statistics = {
        "image_count": images,
        "variant_count": variants,
        # A sum of big integers may come as a decimal number.
        "total_bytes": int(image_bytes or 0) + int(variant_bytes or 0),
        "last_processed_at": processed_at,
    }
    session.execute(update(Item).where(Item.id == item_id).values(**statistics))
    return statistics | {"last_processed_at": processed_at and processed_at.isoformat()}


_latest = func.max(Image.processed_at)


@task("item.action", time_limit=30)
async def carry_out(work: Work, item_id: str, action: str) -> Outcome:
    """Keep the action on the item, its statistics with it, and log it over the file channel."""

    def record(session: Session) -> None:
        recompute(session, item_id)
        session.execute(
            update(Item).where(Item.id == item_id).values(last_action=action, last_action_at=now())
        )
        notifications.queue(
            session,
            channel="file",
            recipient="log",
            subject=f"Item {item_id}: {action}",
            body=f"The action {action} was carried out on item {item_id}.",
            request_id=work.task.request_id,
            about=Subject("item", item_id),
        )

    return Outcome({"action": action}, record)


@task("item.statistics", time_limit=30)
async def update_statistics(_: Work, item_id: str) -> Outcome:
    """Count an item's images, bytes and variants.

    In the transaction that ends the task: who finds it unfinished, and so enqueues no other, has
    written before that, and is counted.
    """

    def record(session: Session) -> None:
        recompute(session, item_id)

    return Outcome(record=record)


@task("item.notify_admin", time_limit=30)
async def notify_admin(work: Work, item_id: str) -> Outcome:
    """Tell the admin an item's statistics."""
    item = await work.database.read(get, item_id)
    admin = work.settings.admin_email
    channel = notifications.channel_for(None if admin else "file", work.notifiers)
    body = (
        f"Item {item.id}: {item.image_count} images with {item.variant_count} variants, "
        f"{item.total_bytes} bytes; last processed {item.last_processed_at or 'never'}."
    )

    def record(session: Session) -> None:
        notifications.queue(
            session,
            channel=channel,
            recipient=admin or "admin",
            subject=f"Item {item.id} was processed",
            body=body,
            request_id=work.task.request_id,
            about=Subject("item", item_id),
        )

    return Outcome({"channel": channel}, record)
