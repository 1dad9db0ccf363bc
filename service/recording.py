"""The rows of images as the tasks that work on them read and write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from service import items
from service.errors import SubjectGone
from service.holding import held
from service.imaging import Probe, Recipe
from service.making import Made, Source
from service.models import IMAGES, VARIANTS, Image, Variant, now
from service.prepared import Prepared

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


def begin(session: Session, image_id: str, names: Iterable[str] | None) -> Source:
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


def record(session: Session, source: Source, made: Sequence[Made], request_id: str | None) -> None:
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
        items.recount(session, source.item_id, request_id)


def _status(session: Session, image_id: str) -> str:
    """An image's status from its variants': whatever is worst, or not yet done, counts."""
    statuses = {status for (status,) in _STATUSES.rows(session, {"of_image": image_id})}
    if "pending" in statuses:
        return "processing"
    return "failed" if "failed" in statuses else "ready"


def probe_of(image: Image) -> Probe:
    """What its header said."""
    return Probe(**{name: getattr(image, name) for name in _PROBED})


def variants_of(session: Session, image_id: str) -> list[Variant]:
    """The variants of an image, in the order of their recipes."""
    mine = select(Variant).where(Variant.image_id == image_id).order_by(Variant.position)
    return list(session.scalars(mine))
