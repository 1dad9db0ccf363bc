"""Images: what was uploaded, and the variants that tasks make of it.

`receive` writes an upload's rows and its task; `process` is that task. `manifest` says what will
exist before anything does.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, select
from sqlalchemy.orm import Session

from service import items, processing
from service.errors import BadPipeline, NotFound, NotReady
from service.holding import hold
from service.imaging import Probe, Recipe
from service.inserts import add_rows
from service.models import IMAGES, VARIANTS, Image, Render, Variant, new_id, now
from service.picture import PLAIN, Row, View, document
from service.prepared import Prepared
from service.recording import probe_of, variants_of
from service.schemas import ImageDocument
from service.storage import Blob
from service.tasks import Priority, Subject, cancel_about, enqueue
from service.variants import variant_row

#: Pixels of all variants that one request may ask for.
MAX_PIXELS_TOGETHER = 100_000_000


@dataclass(frozen=True)
class Upload:
    """A stored original that no row knows yet."""

    id: str
    filename: str
    blob: Blob
    probe: Probe


@dataclass(frozen=True)
class StoredVariant:
    """What is to be known of a variant in order to send it."""

    key: str
    sha256: str | None
    content_type: str
    status: str


def manifest(image_id: str, probe: Probe, recipes: Sequence[Recipe]) -> list[dict[str, Any]]:
    """The rows of the variants to come, with the sizes they will have. Raises: BadPipeline."""
    rows = [variant_row(image_id, probe, at, recipe) for at, recipe in enumerate(recipes)]
    pixels = sum(row["width"] * row["height"] for row in rows)
    if pixels > MAX_PIXELS_TOGETHER:
        raise BadPipeline(
            "The variants together have too many pixels.",
            field="pipeline",
            limit=MAX_PIXELS_TOGETHER,
            actual=pixels,
        )
    return rows


def receive(
    session: Session,
    upload: Upload,
    variants: Sequence[Row],
    *,
    item_id: str | None = None,
    priority: Priority | None = None,
    request_id: str | None = None,
) -> Row:
    """Write an upload's rows and the task that makes its variants, in the caller's transaction.

    Returns the image's row.
    """
    if item_id:
        items.ensure(session, item_id)
    row = _image_row(upload, item_id)
    add_rows(session, Image, row)
    if variants:
        add_rows(session, Variant, *variants)
    enqueue(
        session,
        processing.process,
        {"image_id": upload.id, "names": [variant["name"] for variant in variants]},
        subject=Subject("image", upload.id),
        priority=priority,
        request_id=request_id,
        task_id=row["task_id"],
    )
    return row


def add_variants(
    session: Session,
    image_id: str,
    recipes: Sequence[Recipe],
    *,
    priority: Priority | None = None,
    request_id: str | None = None,
    view: View = PLAIN,
    task_id: str | None = None,
) -> ImageDocument:
    """Have more variants made of a stored image, or existing ones made anew.

    Raises: NotFound; BadPipeline.
    """
    image = find_and_hold(session, image_id)
    rows = manifest(image_id, probe_of(image), recipes)
    names = [row["name"] for row in rows]
    first = session.scalar(
        select(func.coalesce(func.max(Variant.position) + 1, 0)).where(
            Variant.image_id == image_id, Variant.name.not_in(names)
        )
    )
    session.execute(delete(Variant).where(Variant.image_id == image_id, Variant.name.in_(names)))
    for row in rows:
        row["position"] += first or 0
    add_rows(session, Variant, *rows)
    image.status = "processing"
    image.task_id = enqueue(
        session,
        processing.process,
        {"image_id": image_id, "names": names},
        subject=Subject("image", image_id),
        priority=priority,
        request_id=request_id,
        task_id=task_id,
    )
    session.flush()
    return get(session, image_id, view)


def find(session: Session, image_id: str) -> Image:
    """The row of an image. Raises: NotFound."""
    row = session.get(Image, image_id)
    if row is None:
        raise NotFound(f"There is no image {image_id}.")
    return row


def found(session: Session, image_id: str) -> Image:
    """The row of an image, for reading beyond the session. Raises: NotFound."""
    row = find(session, image_id)
    session.expunge(row)
    return row


def find_and_hold(session: Session, image_id: str) -> Image:
    """The row of an image that is about to be changed. Raises: NotFound."""
    row = hold(session, Image, image_id)
    if row is None:
        raise NotFound(f"There is no image {image_id}.")
    return row


#: What visitors ask for all the time, made ready once.
_IMAGE = Prepared(select(IMAGES).where(IMAGES.c.id == bindparam("wanted")))
_VARIANTS = Prepared(
    select(VARIANTS)
    .where(VARIANTS.c.image_id == bindparam("of_image"))
    .order_by(VARIANTS.c.position)
)
_VARIANT = Prepared(
    select(*(VARIANTS.c[field.name] for field in fields(StoredVariant))).where(
        VARIANTS.c.image_id == bindparam("of_image"), VARIANTS.c.name == bindparam("called")
    )
)


def get(session: Session, image_id: str, view: View) -> ImageDocument:
    """The document of an image. Raises: NotFound."""
    image = _IMAGE.first_named(session, {"wanted": image_id})
    if image is None:
        raise NotFound(f"There is no image {image_id}.")
    return document(image, _VARIANTS.named(session, {"of_image": image_id}), view)


def page(
    session: Session,
    cursor: str | None,
    limit: int,
    *,
    item_id: str | None,
    status: str | None,
    view: View,
) -> list[ImageDocument]:
    """Up to `limit` images before `cursor`, newest first; of one item or status, if named."""
    statement = select(IMAGES).order_by(IMAGES.c.id.desc()).limit(limit)
    if cursor:
        statement = statement.where(IMAGES.c.id < cursor)
    if item_id:
        statement = statement.where(IMAGES.c.item_id == item_id)
    if status:
        statement = statement.where(IMAGES.c.status == status)
    images = _all(session, statement)
    variants: dict[str, list[Row]] = {image["id"]: [] for image in images}
    theirs = VARIANTS.c.image_id.in_(variants)
    for row in _all(session, select(VARIANTS).where(theirs).order_by(VARIANTS.c.position)):
        variants[row["image_id"]].append(row)
    return [document(image, variants[image["id"]], view) for image in images]


def variant(session: Session, image_id: str, name: str) -> StoredVariant:
    """A variant that can be sent. Raises: NotFound; NotReady while it is being made."""
    found = _VARIANT.first(session, {"of_image": image_id, "called": name})
    if found is None:
        raise NotFound(f"There is no variant {name} of image {image_id}.")
    row = StoredVariant(*found)
    if row.status == "failed":
        raise NotFound(f"The variant {name} could not be made; see /images/{image_id}.")
    if row.status == "pending":
        raise NotReady(f"The variant {name} is still being made.", retry_after_seconds=1)
    return row


def remove(session: Session, image_id: str, request_id: str | None) -> None:
    """Delete an image's rows; a task removes its files. Raises: NotFound."""
    image = find_and_hold(session, image_id)
    keys = [variant.key for variant in variants_of(session, image_id)]
    keys += session.scalars(select(Render.key).where(Render.image_id == image_id))
    item_id = image.item_id
    session.execute(delete(Variant).where(Variant.image_id == image_id))
    session.execute(delete(Render).where(Render.image_id == image_id))
    session.execute(delete(Image).where(Image.id == image_id))
    payload = {"image_id": image_id, "keys": keys}
    cancel_about(session, Subject("image", image_id))
    enqueue(
        session,
        processing.erase,
        payload,
        subject=Subject("image", image_id),
        request_id=request_id,
    )
    if item_id:
        items.recount(session, item_id, request_id)


def clean_filename(name: str) -> str:
    """A name fit to be shown: no folders, no controls, composed, at most 255 characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    visible = "".join(letter for letter in last if unicodedata.category(letter)[0] != "C")
    return unicodedata.normalize("NFC", visible).strip()[:255].rstrip() or "image"


def known_keys(session: Session, store: str, keys: Sequence[str]) -> set[str]:
    """Which of `keys` a row of this store (`uploads` or `processed`) knows."""
    if store == "uploads":
        return set(session.scalars(select(Image.id).where(Image.id.in_(keys))))
    # What was stored for a variant that failed, or was cancelled, is nobody's.
    variants = select(Variant.key).where(Variant.key.in_(keys), Variant.status != "failed")
    rendered = select(Render.key).where(Render.key.in_(keys))
    return {*session.scalars(variants), *session.scalars(rendered)}


def _image_row(upload: Upload, item_id: str | None) -> dict[str, Any]:
    probe = upload.probe
    return {
        "id": upload.id,
        "filename": upload.filename,
        "content_type": probe.content_type,
        "format": probe.format,
        "size_bytes": upload.blob.size_bytes,
        "sha256": upload.blob.sha256,
        "width": probe.width,
        "height": probe.height,
        "orientation": probe.orientation,
        "frames": probe.frames,
        "alpha": probe.alpha,
        "removed": list(probe.metadata),
        "status": "received",
        "item_id": item_id,
        "task_id": new_id(),
        "created_at": now(),
    }


def _all(session: Session, statement: Select[Any]) -> Sequence[Row]:
    return [dict(row) for row in session.connection().execute(statement).mappings()]
