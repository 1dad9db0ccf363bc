"""One look at the rows for all open streams: what changed in all, and what is watched by itself.

What a stream watches by itself is looked up by its key at every look, all of it in one statement,
and loaded where it is not as it was. What changed in all, `tasks.rows.changes` knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import images
from service.api.live.messages import RESET, Message, of_document, of_fields
from service.errors import NotFound
from service.models import Image, Task
from service.picture import View
from service.tasks import queries
from service.tasks.filters import LISTED
from service.tasks.rows import changes
from service.tasks.rows.changes import Known, Position
from service.tasks.words import FINAL

#: Tasks and images that are told of one by one; past it, a client does better to load anew.
MOST_TOLD = 200
#: Images in the making whose status is looked at.
MOST_IN_WORK = 200
#: Statuses after which an image changes no more by itself.
SETTLED = ("ready", "failed")

#: What a row of something watched looked like; any difference is a change.
Mark = tuple[Any, ...]


@dataclass(frozen=True)
class Wanted:
    """What the open streams want to know."""

    #: What those who follow everything have seen; null if there is nobody.
    known: Known | None = None
    #: From where on somebody who comes back wants to know; null for nobody.
    since: Position | None = None
    statuses: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, Mark | None] = field(default_factory=dict)
    images: Mapping[str, Mark | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Watched:
    """One thing that is watched, where it has changed; no messages: it is gone."""

    mark: Mark
    messages: Sequence[Message] = ()
    is_final: bool = False


@dataclass(frozen=True)
class Seen:
    """What a look has found. No messages but a `reset`: too much to be told one by one."""

    known: Known | None
    news: Sequence[Message]
    missed: Sequence[Message]
    statuses: Mapping[str, str]
    tasks: Mapping[str, Watched]
    images: Mapping[str, Watched]


def look(session: Session, wanted: Wanted, view: View) -> Seen:
    """Look once."""
    known, news, statuses = wanted.known, list[Message](), wanted.statuses
    if known is not None:
        found = changes.look(session, known)
        known, statuses = found.known, _in_work(session, wanted.statuses)
        moved = {one for one, status in statuses.items() if wanted.statuses.get(one) != status}
        news = _told(session, found.ids, moved)
    missed = list[Message]()
    if wanted.since is not None:
        missed = _told(session, changes.missed(session, wanted.since), statuses)
    return Seen(
        known=known,
        news=news,
        missed=missed,
        statuses=statuses,
        tasks=_watched_tasks(session, wanted.tasks),
        images=_watched_images(session, wanted.images, view),
    )


def _told(session: Session, ids: Sequence[str] | None, moved: Iterable[str]) -> list[Message]:
    """Messages about the tasks, and about the images that they are for or that moved."""
    if ids is None or len(ids) > MOST_TOLD:
        return [RESET]
    wanted = select(Task).options(*LISTED)
    found = session.scalars(wanted.where(Task.id.in_(ids)).order_by(Task.id)).all() if ids else []
    about = {task.subject_id for task in found if task.subject_type == "image"}
    told = [of_document("task", task.id, queries.summary(task)) for task in found]
    return told + _images_told(session, {one for one in about if one} | set(moved))


def _images_told(session: Session, ids: set[str]) -> list[Message]:
    """The status of each image; `deleted` where there is none any more."""
    if not ids:
        return []
    found = dict(session.execute(select(Image.id, Image.status).where(Image.id.in_(ids))).all())
    return [
        of_fields("image", one, {"id": one, "status": found.get(one, "deleted")})
        for one in sorted(ids)
    ]


def _in_work(session: Session, before: Mapping[str, str]) -> Mapping[str, str]:
    """The images that are being made, and what became of those that were at the last look."""
    processing = select(Image.id, Image.status).where(Image.status == "processing")
    now = dict(session.execute(processing.order_by(Image.id.desc()).limit(MOST_IN_WORK)).all())
    were = [one for one, status in before.items() if status == "processing" and one not in now]
    if were:
        now |= dict(session.execute(select(Image.id, Image.status).where(Image.id.in_(were))).all())
    return now


def _watched_tasks(session: Session, wanted: Mapping[str, Mark | None]) -> dict[str, Watched]:
    changed = _changed(_marks(session, _TASK_MARKS, Task.id, wanted), wanted)
    return {task_id: _watched_task(session, task_id, mark) for task_id, mark in changed}


def _watched_task(session: Session, task_id: str, mark: Mark) -> Watched:
    try:
        document = queries.get(session, task_id)
    except NotFound:
        return Watched(mark, is_final=True)
    return Watched(mark, [of_document("task", task_id, document)], document.status in FINAL)


def _watched_images(
    session: Session, wanted: Mapping[str, Mark | None], view: View
) -> dict[str, Watched]:
    changed = _changed(_marks(session, _IMAGE_MARKS, Image.id, wanted), wanted)
    return {one: _watched_image(session, one, mark, view) for one, mark in changed}


def _watched_image(session: Session, image_id: str, mark: Mark, view: View) -> Watched:
    try:
        document = images.get(session, image_id, view)
    except NotFound:
        return Watched(mark, is_final=True)
    messages = [of_document("image", image_id, document)]
    is_final = document.status in SETTLED
    if not is_final and mark[-1] is not None:
        status, progress = mark[-2:]
        fields = {"id": document.task_id, "status": status, "progress": progress}
        messages.append(of_fields("task", document.task_id, fields))
    return Watched(mark, messages, is_final)


def _marks(
    session: Session, statement: Any, key: Any, wanted: Mapping[str, Mark | None]
) -> dict[str, Mark]:
    if not wanted:
        return {}
    return {one: tuple(mark) for one, *mark in session.execute(statement.where(key.in_(wanted)))}


def _changed(
    found: Mapping[str, Mark], wanted: Mapping[str, Mark | None]
) -> list[tuple[str, Mark]]:
    """What is not as it was, gone ones included."""
    now = ((one, found.get(one, ())) for one in wanted)
    return [(one, mark) for one, mark in now if mark != wanted[one]]


_TASK_MARKS = select(
    Task.id,
    Task.status,
    Task.attempt,
    Task.progress,
    Task.priority,
    Task.run_at,
    Task.started_at,
    Task.finished_at,
    Task.cancel_requested_at,
)
_IMAGE_MARKS = select(
    Image.id,
    Image.status,
    Image.task_id,
    Image.processed_at,
    Image.error_code,
    Task.status,
    Task.progress,
).outerjoin(Task, Task.id == Image.task_id)
