"""What the stored images lack of the presets as they are now, and what it takes to make it.

A variant that is made by another recipe than the preset of its name is stale; an image may also
have no variant of that name. Images that are being worked on, or have failed, are left alone.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.errors import BadPipeline
from service.imaging import Planned, Recipe, plan
from service.models import Image, Task, Variant
from service.recording import probe_of
from service.refreshing import refresh
from service.tasks import Priority, Subject, enqueue
from service.variants import version_of

#: Images that one statement looks at.
PAGE = 200
#: The latest variants, and runs, that an estimate goes by.
SAMPLE = 500


@dataclass(frozen=True)
class Lack:
    """One image and the recipes that are to be carried out on it."""

    image_id: str
    recipes: tuple[Recipe, ...]
    planned: tuple[Planned, ...] = field(repr=False)


def page(session: Session, recipes: Sequence[Recipe], after: str) -> tuple[list[Lack], str | None]:
    """Of the next `PAGE` images by id those that lack something, and the last id looked at.

    That is None when there are no more.
    """
    ready = select(Image).where(Image.status == "ready", Image.id > after)
    images = list(session.scalars(ready.order_by(Image.id).limit(PAGE)))
    if not images:
        return [], None
    versions: Mapping[str, dict[str, str]] = defaultdict(dict)
    theirs = select(Variant.image_id, Variant.name, Variant.key).where(
        Variant.image_id.in_([image.id for image in images]),
        Variant.name.in_([recipe.name for recipe in recipes]),
    )
    for image_id, name, key in session.execute(theirs):
        versions[image_id][name] = version_of(key)
    lacks = (_lack(image, recipes, versions[image.id]) for image in images)
    return [one for one in lacks if one.recipes], images[-1].id


def _lack(image: Image, recipes: Sequence[Recipe], versions: Mapping[str, str]) -> Lack:
    wanted = []
    for recipe in recipes:
        if versions.get(recipe.name) == recipe.digest:
            continue
        try:
            wanted.append((recipe, plan(probe_of(image), recipe)))
        except BadPipeline:  # it would be too large of this picture
            continue
    return Lack(image.id, tuple(one for one, _ in wanted), tuple(planned for _, planned in wanted))


def enqueue_all(session: Session, lacks: Sequence[Lack]) -> list[str]:
    """Write the tasks that make what is lacking, and return their ids; those that are unfinished
    already are not written again."""
    return [
        enqueue(
            session,
            refresh,
            {"image_id": lack.image_id, "recipes": [recipe.as_json for recipe in lack.recipes]},
            subject=Subject("image", lack.image_id),
            priority=Priority.LOW,
            dedup_key=f"{lack.image_id}.{_digest(lack.recipes)}",
        )
        for lack in lacks
    ]


def _digest(recipes: Sequence[Recipe]) -> str:
    return hashlib.sha256(".".join(one.digest for one in recipes).encode()).hexdigest()


def bytes_per_pixel(session: Session) -> dict[str, float]:
    """What the latest variants weigh, a pixel, by format."""
    latest = (
        select(Variant.format, Variant.size_bytes, Variant.width, Variant.height)
        .where(Variant.size_bytes.is_not(None))
        .order_by(Variant.image_id.desc())
        .limit(SAMPLE)
        .subquery()
    )
    pixels = func.sum(latest.c.width * latest.c.height)
    weights = select(latest.c.format, func.sum(latest.c.size_bytes), pixels)
    return {
        fmt: float(weight / max(1, size))  # PostgreSQL's sums are decimals
        for fmt, weight, size in session.execute(weights.group_by(latest.c.format))
    }


def run_seconds(session: Session) -> float | None:
    """How long a run takes: the mean of the latest refreshes, else of what uploads took."""
    for kind in (refresh.name, "image.process"):
        latest = (
            select(Task.started_at, Task.finished_at)
            .where(Task.kind == kind, Task.status == "succeeded")
            .order_by(Task.id.desc())
            .limit(SAMPLE)
        )
        runs = [
            (end - start).total_seconds() for start, end in session.execute(latest) if start and end
        ]
        if runs:
            return sum(runs) / len(runs)
    return None
