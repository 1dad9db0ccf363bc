"""The tasks that make variants anew behind the back of those who look at them.

What is there is served until what takes its place is recorded; its file goes a while later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service import items
from service.errors import NotFound, SubjectGone
from service.holding import hold
from service.imaging import Recipe, plan
from service.making import Made, Source, make
from service.models import Image, Variant, now
from service.recording import probe_of
from service.tasks import Lane, Outcome, Priority, Retry, Subject, Work, enqueue, task
from service.variants import key_of, variant_row

#: How long a file that was replaced stays, for answers that have found its row already.
LINGER = timedelta(seconds=60)


@task(
    "image.refresh",
    priority=Priority.LOW,
    retry=Retry(max_attempts=3, base_seconds=2, cap_seconds=60),
    time_limit=120,
    lane=Lane.PIXELS,
)
async def refresh(work: Work, image_id: str, recipes: Sequence[Mapping[str, Any]]) -> Outcome:
    """Make an image's variants by these recipes, unless they are so already."""
    wanted = [Recipe.model_validate(recipe) for recipe in recipes]
    source, standing = await work.database.read(_begin, image_id, wanted)
    made = await make(work, source, work.progress)

    def record(session: Session) -> None:
        _swap(session, source, standing, made, work.task.request_id)

    return Outcome({"variants": {one.name: one.blob.size_bytes for one in made}}, record)


@task("image.discard", priority=Priority.LOW, time_limit=60)
async def discard(work: Work, keys: Sequence[str]) -> Outcome:
    """Remove files that were replaced, unless they have become a variant's again."""
    known = await work.database.read(_known, keys)
    unknown = [key for key in keys if key not in known]
    for key in unknown:
        if await _is_older(work, key):
            await work.processed.delete(key)
    return Outcome({"files": len(unknown)})


def _begin(
    session: Session, image_id: str, recipes: Sequence[Recipe]
) -> tuple[Source, Mapping[str, str]]:
    """What is to be made, and the keys of the variants that stand in its place now.

    Left out is what is so already, and what another task works on.
    """
    image = session.get(Image, image_id)
    if image is None:
        raise SubjectGone(f"The image {image_id} was deleted.")
    probe = probe_of(image)
    mine = select(Variant).where(Variant.image_id == image_id)
    standing = {row.name: row for row in session.scalars(mine)}
    lacking = tuple(
        recipe
        for recipe in recipes
        if (row := standing.get(recipe.name)) is None
        or (
            row.status != "pending"
            and row.key != key_of(image_id, recipe, plan(probe, recipe).format)
        )
    )
    keys = {name: row.key for name, row in standing.items()}
    return Source(image_id, image.item_id, probe, lacking), keys


def _swap(
    session: Session,
    source: Source,
    standing: Mapping[str, str],
    made: Sequence[Made],
    request_id: str | None,
) -> None:
    """Put what was made in the place of what stood there, unless that has changed meanwhile.

    Raises: SubjectGone when the image was deleted.
    """
    image = hold(session, Image, source.image_id)
    if image is None:
        raise SubjectGone(f"The image {source.image_id} was deleted.")
    recipes = {recipe.name: recipe for recipe in source.recipes}
    replaced = []
    for one in made:
        row = session.get(Variant, (source.image_id, one.name))
        if (row.key if row else None) != standing.get(one.name):
            continue
        if row is None:
            row = _added(session, source, recipes[one.name])
        elif row.key != one.key:
            replaced.append(row.key)
        _take(row, source, recipes[one.name], one)
    if replaced:
        enqueue(
            session,
            discard,
            {"keys": replaced},
            subject=Subject("image", source.image_id),
            run_at=now() + LINGER,
        )
    if source.item_id:
        items.recount(session, source.item_id, request_id)


def _added(session: Session, source: Source, recipe: Recipe) -> Variant:
    mine = select(func.coalesce(func.max(Variant.position) + 1, 0)).where(
        Variant.image_id == source.image_id
    )
    position = session.scalar(mine) or 0
    row = Variant(**variant_row(source.image_id, source.probe, position, recipe))
    session.add(row)
    return row


def _take(row: Variant, source: Source, recipe: Recipe, made: Made) -> None:
    """Have a variant's row tell of what was made."""
    planned = variant_row(source.image_id, source.probe, row.position, recipe)
    found = {"size_bytes": made.blob.size_bytes, "sha256": made.blob.sha256}
    found |= {name: getattr(made, name) for name in ("width", "height", "quality", "score")}
    for name, value in (planned | found | {"status": "ready"}).items():
        setattr(row, name, value)


def _known(session: Session, keys: Sequence[str]) -> set[str]:
    return set(session.scalars(select(Variant.key).where(Variant.key.in_(keys))))


async def _is_older(work: Work, key: str) -> bool:
    """Whether a file was there before it was to be removed: a younger one was put since, by a task
    that has not recorded it yet."""
    try:
        found = await work.processed.describe(key)
    except NotFound:
        return False
    return found.st_mtime < work.task.run_at.timestamp() - LINGER.total_seconds()
