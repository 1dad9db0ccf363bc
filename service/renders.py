"""Renders: variants that an address asks for, made when somebody first does.

The row says what is to be made, and stands for the place among the few an image may have; its
digest says that it is made. They are in no document, and no status of an image depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service.errors import NotFound, SubjectGone, TooManyRenders
from service.holding import hold
from service.imaging import Recipe, plan
from service.making import Made, Source, make
from service.models import Image, Render, Task, now
from service.recording import probe_of
from service.tasks import Lane, Outcome, Priority, Retry, Subject, Work, enqueue, task
from service.variants import RENDER, key_of

__all__ = ["RENDER", "asked_for", "failure", "found", "render", "want"]


def _forget(session: Session, payload: Mapping[str, Any], _code: str, _message: str) -> None:
    """What could not be made takes no place, and may be asked for again."""
    session.execute(
        delete(Render).where(
            Render.image_id == payload["image_id"],
            Render.digest == payload["digest"],
            Render.sha256.is_(None),
        )
    )


@task(
    "image.render",
    priority=Priority.HIGH,
    retry=Retry(max_attempts=2, base_seconds=0.2, cap_seconds=1),
    time_limit=60,
    lane=Lane.PIXELS,
    on_failure=_forget,
)
async def render(work: Work, image_id: str, digest: str) -> Outcome:
    """Make what a row of `renders` describes, unless that was done while this one was enqueued."""
    source = await work.database.read(_begin, image_id, digest)
    if source is None:
        return Outcome({})
    (made,) = await make(work, source, work.progress)
    return Outcome(
        {"bytes": made.blob.size_bytes}, lambda session: _record(session, image_id, digest, made)
    )


def asked_for(
    session: Session, image_id: str, recipe_for: Callable[[bool], Recipe]
) -> tuple[Recipe, Render | None]:
    """The recipe for this image, given whether it can be transparent; and its render, if there is
    one already. Raises: NotFound."""
    image = session.get(Image, image_id)
    if image is None:
        raise NotFound(f"There is no image {image_id}.")
    recipe = recipe_for(image.alpha)
    return recipe, found(session, image_id, recipe.digest)


def found(session: Session, image_id: str, digest: str) -> Render | None:
    """The render, once it is made."""
    row = session.get(Render, (image_id, digest))
    if row is None or row.sha256 is None:
        return None
    session.expunge(row)
    return row


def want(
    session: Session, image_id: str, recipe: Recipe, most: int, request_id: str | None
) -> str | Render:
    """Have a render made unless that is under way, and return its task's id, or what is made.

    Raises: NotFound; BadPipeline; TooManyRenders where the image has `most` others.
    """
    image = hold(session, Image, image_id)  # whoever wants another one waits, and counts anew
    if image is None:
        raise NotFound(f"There is no image {image_id}.")
    if made := found(session, image_id, recipe.digest):  # since the caller looked
        return made
    if session.get(Render, (image_id, recipe.digest)) is None:
        _check_room(session, image_id, most)
        session.add(_row(image, recipe))
        session.flush()
    return enqueue(
        session,
        render,
        {"image_id": image_id, "digest": recipe.digest},
        subject=Subject("image", image_id),
        request_id=request_id,
        dedup_key=f"{image_id}.{recipe.digest}",
    )


def failure(session: Session, task_id: str) -> tuple[str, str] | None:
    """Code and message of a task that has ended without success; None for any other."""
    row = session.get(Task, task_id)
    if row is None or row.status not in ("failed", "cancelled"):
        return None
    return row.error_code or row.status, row.error_message or "It was cancelled."


def _check_room(session: Session, image_id: str, most: int) -> None:
    there = session.scalar(select(func.count()).where(Render.image_id == image_id)) or 0
    if there >= most:
        raise TooManyRenders(
            f"The image {image_id} has as many different renders as an image may have.",
            limit=most,
            actual=there + 1,
        )


def _row(image: Image, recipe: Recipe) -> Render:
    planned = plan(probe_of(image), recipe)
    return Render(
        image_id=image.id,
        digest=recipe.digest,
        recipe=recipe.as_json,
        key=key_of(image.id, recipe, planned.format),
        content_type=planned.content_type,
        created_at=now(),
    )


def _begin(session: Session, image_id: str, digest: str) -> Source | None:
    """What is to be made; None where it is. Raises: SubjectGone."""
    image, row = session.get(Image, image_id), session.get(Render, (image_id, digest))
    if image is None or row is None:
        raise SubjectGone(f"The image {image_id} was deleted.")
    if row.sha256 is not None:
        return None
    return Source(image_id, None, probe_of(image), (Recipe.model_validate(row.recipe),))


def _record(session: Session, image_id: str, digest: str, made: Made) -> None:
    row = hold(session, Render, (image_id, digest))
    if row is None:
        raise SubjectGone(f"The image {image_id} was deleted.")
    row.size_bytes, row.sha256 = made.blob.size_bytes, made.blob.sha256
