"""Kinds of tasks over HTTP: what each is, how much of it there is, pause and resume."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Path
from pydantic import Field
from sqlalchemy.orm import Session

from service.api.deps import Parts, PartsDep
from service.api.looks import Tally
from service.api.problems import responses
from service.errors import DatabaseFailed, NotFound
from service.schemas import Document, PriorityName
from service.tasks import Kind, rows

router = APIRouter(tags=["tasks"])

KindName = Annotated[str, Path(max_length=64, description="As in `kind` of a task's document.")]


class RetryDocument(Document):
    """How often a kind is tried, and how long it waits in between."""

    max_attempts: int
    base_seconds: float
    cap_seconds: float


class KindDocument(Document):
    """A kind of task, and how many tasks of it there are."""

    name: str
    priority: PriorityName
    lane: str
    retry: RetryDocument
    time_limit_seconds: float
    paused: bool
    counts: dict[str, int]
    capped: bool = Field(description="Whether more have finished than were counted.")


@router.get("/kinds", summary="Every kind of task")
async def list_kinds(parts: PartsDep) -> list[KindDocument]:
    """With its policy, whether it is paused, and its tasks by status."""
    paused = await parts.runtime.database.read(rows.paused)
    tally = await parts.looks.tally()
    return [_document(kind, paused, tally) for kind in parts.runtime.registry]


@router.post(
    "/kinds/{kind}/pause",
    responses=responses(NotFound, DatabaseFailed),
    summary="Have no task of a kind claimed",
)
async def pause_kind(kind: KindName, parts: PartsDep) -> KindDocument:
    """By no process, until it is resumed. What runs goes on; the others stay queued."""
    return await _set(parts, kind, rows.pause)


@router.post(
    "/kinds/{kind}/resume",
    responses=responses(NotFound, DatabaseFailed),
    summary="Let tasks of a kind be claimed again",
)
async def resume_kind(kind: KindName, parts: PartsDep, background: BackgroundTasks) -> KindDocument:
    """What waited is claimed as ever, the most urgent first."""
    document = await _set(parts, kind, rows.resume)
    parts.wake(background)
    return document


async def _set(parts: Parts, name: str, change: Callable[[Session, str], None]) -> KindDocument:
    kind = next((one for one in parts.runtime.registry if one.name == name), None)
    if kind is None:
        raise NotFound(f"There is no kind {name}.")
    await parts.runtime.database.write(change, name)
    paused = await parts.runtime.database.read(rows.paused)
    return _document(kind, paused, await parts.looks.tally())


def _document(kind: Kind, paused: Collection[str], tally: Tally) -> KindDocument:
    return KindDocument(
        name=kind.name,
        priority=kind.priority.label,
        lane=kind.lane.value,
        retry=RetryDocument(**vars(kind.retry)),
        time_limit_seconds=kind.time_limit,
        paused=kind.name in paused,
        counts=tally.counts.get(kind.name, {}),
        capped=tally.capped,
    )
