"""The tasks that work on images: make their variants, an item's all at once, remove their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service import items
from service.errors import ServiceError, SomeFailed
from service.making import make
from service.models import Image, Task, Variant
from service.recording import begin, record
from service.tasks import (
    LIVE,
    Lane,
    Outcome,
    Priority,
    Retry,
    Work,
    task,
)


def _mark_failed(session: Session, payload: Mapping[str, Any], code: str, message: str) -> None:
    """What the end of `image.process` without success means for its image and its variants."""
    image_id, names = payload["image_id"], payload.get("names")
    session.execute(
        update(Image)
        .where(Image.id == image_id)
        .values(status="failed", error_code=code, error_message=message)
    )
    pending = update(Variant).where(Variant.image_id == image_id, Variant.status == "pending")
    if names is not None:
        pending = pending.where(Variant.name.in_(names))
    session.execute(pending.values(status="failed"))


def _mark_item_failed(
    session: Session, payload: Mapping[str, Any], code: str, message: str
) -> None:
    """The image that was being worked on when a process died is in nobody's hands any more."""
    unfinished = select(Task.id).where(Task.status.in_(LIVE))  # one that was pruned is not
    session.execute(
        update(Image)
        .where(
            Image.item_id == payload["item_id"],
            Image.status == "processing",
            Image.task_id.not_in(unfinished),
        )
        .values(status="failed", error_code=code, error_message=message)
    )


@task(
    "image.process",
    retry=Retry(max_attempts=5, base_seconds=2, cap_seconds=300),
    time_limit=120,
    lane=Lane.PIXELS,
    on_failure=_mark_failed,
)
async def process(work: Work, image_id: str, names: Sequence[str]) -> Outcome:
    """Make those variants of an image that `names` names."""
    source = await work.write(begin, image_id, names)
    made = await make(work, source, work.progress)
    sizes = {variant.name: variant.blob.size_bytes for variant in made}

    def finish(session: Session) -> None:
        record(session, source, made, work.task.request_id)

    return Outcome({"variants": sizes}, finish)


@task(
    "item.process",
    retry=Retry(max_attempts=3, base_seconds=2, cap_seconds=60),
    time_limit=3600,
    lane=Lane.PIXELS,
    on_failure=_mark_item_failed,
)
async def process_item(work: Work, item_id: str) -> Outcome:
    """Make all variants of all images of an item anew. Raises: SomeFailed, with what failed."""
    ids = await work.database.read(_ids_of, item_id)
    failures: dict[str, str] = {}

    async def progress(done: int, part: float) -> None:
        await work.progress((done + part) / len(ids))

    for done, image_id in enumerate(ids):
        try:
            source = await work.write(begin, image_id, None)
            source = replace(source, item_id=None)  # counted once, at the end
            made = await make(work, source, partial(progress, done))
            await work.write(record, source, made, work.task.request_id)
        except ServiceError as error:
            failures[image_id] = error.code
            payload = {"image_id": image_id}
            await work.write(_mark_failed, payload, error.code, error.detail)
        await progress(done, 1)
    if failures:
        reasons = ", ".join(f"{image_id}: {code}" for image_id, code in failures.items())
        raise SomeFailed(f"{len(failures)} of {len(ids)} images failed ({reasons}).")
    return Outcome({"images": len(ids)}, lambda session: items.recount(session, item_id, None))


@task("image.erase", priority=Priority.LOW, time_limit=60)
async def erase(work: Work, image_id: str, keys: Sequence[str]) -> Outcome:
    """Remove the files of an image that was deleted."""
    for key in keys:
        await work.processed.delete(key)
    await work.uploads.delete(image_id)
    return Outcome({"files": len(keys) + 1})


def _ids_of(session: Session, item_id: str) -> list[str]:
    return list(
        session.scalars(select(Image.id).where(Image.item_id == item_id).order_by(Image.id))
    )
