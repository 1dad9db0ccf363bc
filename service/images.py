"""Images: what was uploaded, and the variants that tasks make of it.

`receive` writes an upload's rows and its task; `process` is that task. `recipes_for` and
`manifest` say what will exist before anything does.
"""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from service import items
from service.errors import NotFound, NotReady, ServiceError, SomeFailed, SubjectGone, UnknownPreset
from service.imaging import Pipeline, Probe, Recipe, Rendered, plan, render
from service.models import Image, Item, Variant, add_rows, new_id, now
from service.schemas import ErrorDocument, ImageDocument, Placeholder, VariantDocument
from service.storage import Blob
from service.tasks import Lane, Outcome, Priority, Retry, Subject, Work, enqueue, task

Presets = Mapping[str, Recipe]
#: A row by its columns' names: one that was read, or one that is about to be written.
Row = Mapping[str, Any]
IMAGES = Image.__table__
VARIANTS = Variant.__table__
#: A preset's name that stands for no preset at all: only the pipeline is made.
NO_PRESET = "none"


@dataclass(frozen=True)
class Upload:
    """A stored original that no row knows yet."""

    id: str
    filename: str
    blob: Blob
    probe: Probe


@dataclass(frozen=True)
class Source:
    """What a pipeline needs of an image: its stored original, its header, its recipes."""

    image_id: str
    item_id: str | None
    probe: Probe
    recipes: tuple[Recipe, ...]


def recipes_for(
    presets: Presets, names: Sequence[str], pipeline: Pipeline | None
) -> tuple[Recipe, ...]:
    """What to make of an image: the named presets, or all, and a pipeline's variants on top.

    A pipeline's variant takes the place of a preset of its name. Raises: UnknownPreset.
    """
    chosen = {name: _preset(presets, name) for name in names or presets if name != NO_PRESET}
    for recipe in pipeline.variants if pipeline else ():
        chosen[recipe.name] = recipe
    return tuple(chosen.values())


def manifest(image_id: str, probe: Probe, recipes: Sequence[Recipe]) -> list[dict[str, Any]]:
    """The rows of the variants to come, with the sizes they will have. Raises: BadPipeline."""
    return [_variant_row(image_id, probe, at, recipe) for at, recipe in enumerate(recipes)]


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
        process,
        {"image_id": upload.id},
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
    base_url: str = "",
) -> ImageDocument:
    """Have more variants made of a stored image, or existing ones made anew.

    Raises: NotFound; BadPipeline.
    """
    image = find(session, image_id)
    rows = manifest(image_id, _probe_of(image), recipes)
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
    image.error_code = image.error_message = None
    image.task_id = enqueue(
        session,
        process,
        {"image_id": image_id, "names": names},
        subject=Subject("image", image_id),
        priority=priority,
        request_id=request_id,
    )
    session.flush()
    return get(session, image_id, base_url)


def find(session: Session, image_id: str) -> Image:
    """The row of an image. Raises: NotFound."""
    row = session.get(Image, image_id)
    if row is None:
        raise NotFound(f"There is no image {image_id}.")
    return row


def variants_of(session: Session, image_id: str) -> list[Variant]:
    """The variants of an image, in the order of their recipes."""
    mine = select(Variant).where(Variant.image_id == image_id).order_by(Variant.position)
    return list(session.scalars(mine))


def get(session: Session, image_id: str, base_url: str) -> ImageDocument:
    """The document of an image. Raises: NotFound."""
    image = _first(session, select(IMAGES).where(IMAGES.c.id == image_id))
    if image is None:
        raise NotFound(f"There is no image {image_id}.")
    mine = select(VARIANTS).where(VARIANTS.c.image_id == image_id).order_by(VARIANTS.c.position)
    return document(image, _all(session, mine), base_url)


def page(
    session: Session, cursor: str | None, limit: int, item_id: str | None, base_url: str
) -> list[ImageDocument]:
    """Up to `limit` images before `cursor`, newest first; of one item, if named."""
    statement = select(IMAGES).order_by(IMAGES.c.id.desc()).limit(limit)
    if cursor:
        statement = statement.where(IMAGES.c.id < cursor)
    if item_id:
        statement = statement.where(IMAGES.c.item_id == item_id)
    images = _all(session, statement)
    variants: dict[str, list[Row]] = {image["id"]: [] for image in images}
    theirs = VARIANTS.c.image_id.in_(variants)
    for row in _all(session, select(VARIANTS).where(theirs).order_by(VARIANTS.c.position)):
        variants[row["image_id"]].append(row)
    return [document(image, variants[image["id"]], base_url) for image in images]


def variant(session: Session, image_id: str, name: str) -> Variant:
    """A variant that can be sent. Raises: NotFound; NotReady while it is being made."""
    row = session.get(Variant, (image_id, name))
    if row is None:
        raise NotFound(f"There is no variant {name} of image {image_id}.")
    if row.status == "failed":
        raise NotFound(f"The variant {name} could not be made; see /images/{image_id}.")
    if row.status == "pending":
        raise NotReady(f"The variant {name} is still being made.", retry_after_seconds=1)
    session.expunge(row)
    return row


def remove(session: Session, image_id: str, request_id: str | None) -> None:
    """Delete an image's rows; a task removes its files. Raises: NotFound."""
    image = find(session, image_id)
    keys = [variant.key for variant in variants_of(session, image_id)]
    item_id = image.item_id
    session.execute(delete(Variant).where(Variant.image_id == image_id))
    session.execute(delete(Image).where(Image.id == image_id))
    payload = {"image_id": image_id, "keys": keys}
    enqueue(session, erase, payload, subject=Subject("image", image_id), request_id=request_id)
    if item_id:
        _recount(session, item_id, request_id)


def document(image: Row, variants: Sequence[Row], base_url: str) -> ImageDocument:
    """The document of an image's rows; URLs begin with `base_url`, which may be empty."""
    derived = [_variant_document(variant, base_url) for variant in variants]
    code, colour = image.get("error_code"), image.get("colour")
    failure = ErrorDocument(code=code, message=image["error_message"] or "") if code else None
    return ImageDocument(
        **{name: image[name] for name in _SHOWN},
        placeholder=Placeholder(color=colour) if colour else None,
        variants=derived,
        srcset=_srcset(image, derived),
        error=failure,
    )


def clean_filename(name: str) -> str:
    """A name fit to be shown: no folders, no controls, composed, at most 255 characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    visible = "".join(letter for letter in last if unicodedata.category(letter)[0] != "C")
    return unicodedata.normalize("NFC", visible).strip()[:255].rstrip() or "image"


def known_keys(session: Session, store: str, keys: Sequence[str]) -> set[str]:
    """Which of `keys` a row of this store (`uploads` or `processed`) knows."""
    column = Image.id if store == "uploads" else Variant.key
    return set(session.scalars(select(column).where(column.in_(keys))))


# The tasks


def _mark_failed(session: Session, payload: Mapping[str, Any], code: str, message: str) -> None:
    image_id = payload["image_id"]
    session.execute(
        update(Image)
        .where(Image.id == image_id)
        .values(status="failed", error_code=code, error_message=message)
    )
    session.execute(
        update(Variant)
        .where(Variant.image_id == image_id, Variant.status == "pending")
        .values(status="failed")
    )


@task(
    "image.process",
    retry=Retry(max_attempts=5, base_seconds=2, cap_seconds=300),
    time_limit=120,
    lane=Lane.PIXELS,
    on_failure=_mark_failed,
)
async def process(work: Work, image_id: str, names: Sequence[str] | None = None) -> Outcome:
    """Make the variants of an image, or those of `names`."""
    source = await work.database.write(_begin, image_id, names)
    made = [variant async for variant in _make(work, source)]
    sizes = {variant.name: variant.blob.size_bytes for variant in made}

    def record(session: Session) -> None:
        _record(session, source, made, work.task.request_id)

    return Outcome({"variants": sizes}, record)


@task(
    "item.process",
    retry=Retry(max_attempts=3, base_seconds=2, cap_seconds=60),
    time_limit=3600,
    lane=Lane.PIXELS,
)
async def process_item(work: Work, item_id: str) -> Outcome:
    """Make all variants of all images of an item anew. Raises: SomeFailed, with what failed."""
    ids = await work.database.read(_ids_of, item_id)
    failures: dict[str, str] = {}
    for done, image_id in enumerate(ids):
        try:
            source = await work.database.write(_begin, image_id, None)
            made = [variant async for variant in _make(work, source)]
            await work.database.write(_record, source, made, work.task.request_id)
        except ServiceError as error:
            failures[image_id] = error.code
            if not error.transient:
                payload = {"image_id": image_id}
                await work.database.write(_mark_failed, payload, error.code, error.detail)
        await work.progress((done + 1) / len(ids))
    if failures:
        reasons = ", ".join(f"{image_id}: {code}" for image_id, code in failures.items())
        raise SomeFailed(f"{len(failures)} of {len(ids)} images failed ({reasons}).")
    return Outcome({"images": len(ids)}, lambda session: _recount(session, item_id, None))


@task("image.erase", priority=Priority.LOW, time_limit=60)
async def erase(work: Work, image_id: str, keys: Sequence[str]) -> Outcome:
    """Remove the files of an image that was deleted."""
    for key in keys:
        await work.processed.delete(key)
    await work.uploads.delete(image_id)
    return Outcome({"files": len(keys) + 1})


@dataclass(frozen=True)
class Made:
    """A variant that is in the storage."""

    name: str
    blob: Blob
    colour: str | None


async def _make(work: Work, source: Source) -> AsyncIterator[Made]:
    """Run the pipeline in a thread and store each variant as soon as all are encoded."""
    await work.uploads.stat(source.image_id)
    path = work.uploads.path(source.image_id)
    rendered = await work.threads.run(_render, path, source, work)
    for done, variant in enumerate(rendered):
        with work.metrics.stage_seconds.labels("store", variant.format).time():
            blob = await work.processed.put(_key(source.image_id, variant), _once(variant.data))
        work.metrics.variants.labels(variant.format, "ready").inc()
        work.metrics.variant_bytes.labels(variant.format).inc(blob.size_bytes)
        yield Made(variant.name, blob, variant.colour)
        await work.progress((done + 1) / len(rendered))


def _render(path: Path, source: Source, work: Work) -> list[Rendered]:
    """The pixels, in a thread; failures are counted by the format that was asked for."""

    def observe(stage: str, fmt: str, seconds: float) -> None:
        work.metrics.stage_seconds.labels(stage, fmt).observe(seconds)

    try:
        return list(render(path, source.probe, source.recipes, observe=observe))
    except Exception:
        for recipe in source.recipes:
            fmt = plan(source.probe, recipe).format
            work.metrics.variants.labels(fmt, "failed").inc()
        raise


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _begin(session: Session, image_id: str, names: Iterable[str] | None) -> Source:
    """Mark an image as being processed and read what its pipeline needs."""
    image = session.get(Image, image_id)
    if image is None:
        raise SubjectGone(f"The image {image_id} was deleted.")
    wanted = set(names) if names is not None else None
    recipes = tuple(
        Recipe.model_validate(row.recipe)
        for row in variants_of(session, image_id)
        if wanted is None or row.name in wanted
    )
    image.status = "processing"
    return Source(image_id, image.item_id, _probe_of(image), recipes)


def _record(session: Session, source: Source, made: Sequence[Made], request_id: str | None) -> None:
    """Write what was made; the image is ready when none of its variants is pending."""
    for variant in made:
        session.execute(
            update(Variant)
            .where(Variant.image_id == source.image_id, Variant.name == variant.name)
            .values(status="ready", size_bytes=variant.blob.size_bytes, sha256=variant.blob.sha256)
        )
    image = session.get(Image, source.image_id)
    if image is None:
        raise SubjectGone(f"The image {source.image_id} was deleted.")
    pending = select(Variant.name).where(
        Variant.image_id == source.image_id, Variant.status == "pending"
    )
    image.status = "processing" if session.scalar(pending.limit(1)) else "ready"
    image.colour = made[-1].colour if made else image.colour
    image.error_code = image.error_message = None
    image.processed_at = now()
    if source.item_id:
        _recount(session, source.item_id, request_id)


def _recount(session: Session, item_id: str, request_id: str | None) -> None:
    if session.get(Item, item_id) is not None:
        subject = Subject("item", item_id)
        payload = {"item_id": item_id}
        enqueue(session, items.update_statistics, payload, subject=subject, request_id=request_id)


def _ids_of(session: Session, item_id: str) -> list[str]:
    return list(
        session.scalars(select(Image.id).where(Image.item_id == item_id).order_by(Image.id))
    )


def _preset(presets: Presets, name: str) -> Recipe:
    try:
        return presets[name]
    except KeyError:
        raise UnknownPreset(
            f"There is no preset {name!r}; there is {', '.join(presets)}.", field="preset"
        ) from None


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
        "status": "received",
        "item_id": item_id,
        "task_id": new_id(),
        "created_at": now(),
    }


def _variant_row(image_id: str, probe: Probe, position: int, recipe: Recipe) -> dict[str, Any]:
    planned = plan(probe, recipe)
    return {
        "image_id": image_id,
        "name": planned.name,
        "position": position,
        "recipe": recipe.as_json,
        "key": f"{image_id}/{planned.name}.{planned.format}",
        "width": planned.width,
        "height": planned.height,
        "format": planned.format,
        "content_type": planned.content_type,
        "status": "pending",
    }


def _key(image_id: str, variant: Rendered) -> str:
    return f"{image_id}/{variant.name}.{variant.format}"


def _probe_of(image: Image) -> Probe:
    return Probe(
        format=image.format,
        content_type=image.content_type,
        width=image.width,
        height=image.height,
        orientation=image.orientation,
        frames=image.frames,
        alpha=image.alpha,
    )


#: Columns that a document shows as they are.
_SHOWN = tuple(name for name in ImageDocument.model_fields if name in IMAGES.c)
_VARIANT_SHOWN = tuple(name for name in VariantDocument.model_fields if name in VARIANTS.c)


def _variant_document(variant: Row, base_url: str) -> VariantDocument:
    url = f"{base_url}/images/{variant['image_id']}/variants/{variant['name']}"
    return VariantDocument(url=url, **{name: variant.get(name) for name in _VARIANT_SHOWN})


def _srcset(image: Row, variants: Sequence[VariantDocument]) -> str:
    """The variants of the whole picture's shape, one a width, narrowest first."""
    whole = {v.width: v.url for v in variants if _same_shape(image, v)}
    return ", ".join(f"{url} {width}w" for width, url in sorted(whole.items()))


def _same_shape(image: Row, variant: VariantDocument) -> bool:
    # One pixel of rounding on either side of a scaled picture keeps its shape.
    width, height = image["width"], image["height"]
    return bool(abs(width * variant.height - height * variant.width) <= max(width, height))


def _first(session: Session, statement: Select[Any]) -> Row | None:
    found = session.connection().execute(statement).mappings().first()
    return dict(found) if found else None


def _all(session: Session, statement: Select[Any]) -> Sequence[Row]:
    return [dict(row) for row in session.connection().execute(statement).mappings()]
