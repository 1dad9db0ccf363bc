"""The tasks that work on images: make their variants, an item's all at once, remove their files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from service import items
from service.errors import ServiceError, SomeFailed, SubjectGone
from service.holding import held
from service.imaging import Probe, Recipe
from service.making import Made, Source, make
from service.models import IMAGES, VARIANTS, Image, Item, Task, Variant, now
from service.prepared import Prepared
from service.tasks import (
    LIVE,
    Lane,
    Outcome,
    Priority,
    Retry,
    Subject,
    Work,
    enqueue,
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
    source = await work.write(_begin, image_id, names)
    made = await make(work, source, work.progress)
    sizes = {variant.name: variant.blob.size_bytes for variant in made}

    def record(session: Session) -> None:
        _record(session, source, made, work.task.request_id)

    return Outcome({"variants": sizes}, record)


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
            source = await work.write(_begin, image_id, None)
            source = replace(source, item_id=None)  # counted once, at the end
            made = await make(work, source, partial(progress, done))
            await work.write(_record, source, made, work.task.request_id)
        except ServiceError as error:
            failures[image_id] = error.code
            payload = {"image_id": image_id}
            await work.write(_mark_failed, payload, error.code, error.detail)
        await progress(done, 1)
    if failures:
        reasons = ", ".join(f"{image_id}: {code}" for image_id, code in failures.items())
        raise SomeFailed(f"{len(failures)} of {len(ids)} images failed ({reasons}).")
    return Outcome({"images": len(ids)}, lambda session: recount(session, item_id, None))


@task("image.erase", priority=Priority.LOW, time_limit=60)
async def erase(work: Work, image_id: str, keys: Sequence[str]) -> Outcome:
    """Remove the files of an image that was deleted."""
    for key in keys:
        await work.processed.delete(key)
    await work.uploads.delete(image_id)
    return Outcome({"files": len(keys) + 1})


#: What a probe says of a picture that its row keeps.
_PROBED = ("format", "content_type", "width", "height", "orientation", "frames", "alpha")
_HELD = Prepared(held(select(IMAGES).where(IMAGES.c.id == bindparam("wanted"))))
_BEGUN = Prepared(
    update(IMAGES)
    .where(IMAGES.c.id == bindparam("wanted"))
    .values(status="processing")
    .returning(IMAGES.c.id)
)
_RECIPES = Prepared(
    select(VARIANTS.c.name, VARIANTS.c.recipe)
    .where(VARIANTS.c.image_id == bindparam("of_image"))
    .order_by(VARIANTS.c.position)
)


def _held(session: Session, image_id: str) -> Mapping[str, Any]:
    """The row of an image that is about to be changed. Raises: SubjectGone."""
    image = _HELD.first_named(session, {"wanted": image_id})
    if image is None:
        raise SubjectGone(f"The image {image_id} was deleted.")
    return image


def _begin(session: Session, image_id: str, names: Iterable[str] | None) -> Source:
    """Mark an image as being processed and read what its pipeline needs. Raises: SubjectGone."""
    image = _held(session, image_id)
    wanted = set(names) if names is not None else None
    recipes = tuple(
        Recipe.model_validate(recipe)
        for name, recipe in _RECIPES.rows(session, {"of_image": image_id})
        if wanted is None or name in wanted
    )
    _BEGUN.rows(session, {"wanted": image_id})
    probe = Probe(**{name: image[name] for name in _PROBED})
    return Source(image_id, image["item_id"], probe, recipes)


_MADE = (
    update(VARIANTS)
    .where(VARIANTS.c.image_id == bindparam("of_image"), VARIANTS.c.key == bindparam("under_key"))
    .values(
        status="ready",
        size_bytes=bindparam("size"),
        sha256=bindparam("digest"),
        width=bindparam("made_width"),
        height=bindparam("made_height"),
        quality=bindparam("chosen"),
        score=bindparam("likeness"),
    )
)
_STATUSES = Prepared(
    select(VARIANTS.c.status).where(VARIANTS.c.image_id == bindparam("of_image")).distinct()
)
_CHANGED = ("status", "error_code", "error_message", "colour", "blurhash", "processed_at")
_DONE = Prepared(
    update(IMAGES)
    .where(IMAGES.c.id == bindparam("wanted"))
    .values({name: bindparam(f"now_{name}") for name in _CHANGED})
    .returning(IMAGES.c.id)
)


def _record(session: Session, source: Source, made: Sequence[Made], request_id: str | None) -> None:
    """Write what was made. A variant whose recipe has changed meanwhile keeps waiting for its own.

    Raises: SubjectGone when the image was deleted.
    """
    # Held before its variants are looked at: of two tasks of one image the later sees the other's.
    image = _held(session, source.image_id)
    if made:
        session.connection().execute(
            _MADE,
            [
                {
                    "of_image": source.image_id,
                    "under_key": variant.key,
                    "size": variant.blob.size_bytes,
                    "digest": variant.blob.sha256,
                    "made_width": variant.width,
                    "made_height": variant.height,
                    "chosen": variant.quality,
                    "likeness": variant.score,
                }
                for variant in made
            ],
        )
    status = _status(session, source.image_id)
    changes: dict[str, Any] = {"status": status, "processed_at": now()}
    if status == "ready":
        changes |= {"error_code": None, "error_message": None}
    if made:
        changes |= {"colour": made[-1].colour, "blurhash": made[-1].blurhash}
    row = {**image, **changes}
    after = {f"now_{name}": row[name] for name in _CHANGED}
    _DONE.rows(session, {"wanted": source.image_id, **after})
    if source.item_id:
        recount(session, source.item_id, request_id)


def _status(session: Session, image_id: str) -> str:
    """An image's status from its variants': whatever is worst, or not yet done, counts."""
    statuses = {status for (status,) in _STATUSES.rows(session, {"of_image": image_id})}
    if "pending" in statuses:
        return "processing"
    return "failed" if "failed" in statuses else "ready"


def recount(session: Session, item_id: str, request_id: str | None) -> None:
    """Have an item's statistics made anew, unless that is already about to happen."""
    if session.get(Item, item_id) is None:
        return
    enqueue(
        session,
        items.update_statistics,
        {"item_id": item_id},
        subject=Subject("item", item_id),
        request_id=request_id,
        dedup_key=item_id,
    )


def _ids_of(session: Session, item_id: str) -> list[str]:
    return list(
        session.scalars(select(Image.id).where(Image.item_id == item_id).order_by(Image.id))
    )


def probe_of(image: Image) -> Probe:
    """What its header said."""
    return Probe(**{name: getattr(image, name) for name in _PROBED})


def variants_of(session: Session, image_id: str) -> list[Variant]:
    """The variants of an image, in the order of their recipes."""
    mine = select(Variant).where(Variant.image_id == image_id).order_by(Variant.position)
    return list(session.scalars(mine))
