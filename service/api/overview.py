"""The tasks at a glance over HTTP: how many, what failed, how it went, who runs what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy.orm import Session

from service.api.deps import PartsDep
from service.models import now
from service.schemas import Document, TaskStatus, TaskSummary
from service.tasks import Registry, queries, rows
from service.tasks.rows import Counted

router = APIRouter(tags=["tasks"])

#: The longest time a series goes back, and the most points it has of a kind.
MAX_MINUTES = 7 * 24 * 60
MAX_POINTS = 180
#: Minutes that a point may stand for.
STEPS = (1, 2, 5, 10, 15, 30, 60)


class StatusDocument(Document):
    """How many tasks have a status."""

    status: TaskStatus
    count: int
    capped: bool = Field(description="Whether there are more than could be counted.")
    oldest_at: datetime | None = Field(description="When the oldest of them came to be.")


class KindCounts(Document):
    """How many unfinished tasks a kind has."""

    kind: str
    queued: int
    retrying: int
    running: int
    capped: bool = Field(description="Whether there are more than could be counted.")
    paused: bool


class OverviewDocument(Document):
    """The tasks by status, and those that are not finished by kind."""

    statuses: list[StatusDocument]
    kinds: list[KindCounts]


class FailureDocument(Document):
    """Failed tasks of one kind with one error."""

    kind: str
    code: str
    message: str = Field(description="The newest one's.")
    count: int
    capped: bool = Field(description="Whether there are more than could be counted.")
    first_at: datetime
    last_at: datetime
    task_id: str = Field(description="The newest one.")


class FailuresDocument(Document):
    """Failed tasks by kind and error, the newest failure first."""

    items: list[FailureDocument]


class SecondsDocument(Document):
    """How long it took; null where nothing did."""

    mean: float | None
    max: float | None


class PointDocument(Document):
    """What finished of one kind in the time from `at` on."""

    at: datetime
    kind: str
    succeeded: int
    failed: int
    cancelled: int
    wait_seconds: SecondsDocument = Field(description="From due to claimed.")
    run_seconds: SecondsDocument = Field(description="From claimed to finished.")


class SeriesDocument(Document):
    """What finished, point by point; where nothing did there is no point."""

    step_seconds: int
    points: list[PointDocument]


class WorkerDocument(Document):
    """A worker, and what it runs now."""

    worker: str
    tasks: list[TaskSummary]


class WorkersDocument(Document):
    """The workers that run something."""

    items: list[WorkerDocument]


@router.get("/tasks/overview", summary="How many tasks there are")
async def overview(parts: PartsDep) -> OverviewDocument:
    """By status, and by kind what is not finished; counted up to 10,000 each."""
    return await parts.runtime.database.read(_overview, parts.runtime.registry)


@router.get("/tasks/failures", summary="What failed, by error")
async def failures(parts: PartsDep) -> FailuresDocument:
    """Failed tasks by kind and code, up to 100 groups; each counted up to 10,000."""
    groups = await parts.runtime.database.read(rows.failure_groups)
    return FailuresDocument(items=[FailureDocument(**vars(group)) for group in groups])


@router.get("/tasks/series", summary="What finished, over time")
async def series(
    parts: PartsDep,
    minutes: Annotated[int, Query(ge=1, le=MAX_MINUTES, description="How far back.")] = 60,
) -> SeriesDocument:
    """By kind, in steps of a minute up to an hour; kept when the tasks are gone."""
    return await parts.runtime.database.read(_series, minutes)


@router.get("/workers", summary="Who runs what")
async def workers(parts: PartsDep) -> WorkersDocument:
    """The workers that run something now, with their tasks, the longest running first."""
    found = await parts.runtime.database.read(queries.by_worker)
    items = [WorkerDocument(worker=worker, tasks=tasks) for worker, tasks in found.items()]
    return WorkersDocument(items=items)


def _overview(session: Session, registry: Registry) -> OverviewDocument:
    counts, capped = rows.unfinished_by_kind(session)
    paused = rows.paused(session)
    names = [kind.name for kind in registry]
    gone = sorted({kind for kind, _ in counts} - set(names))  # of an earlier release
    return OverviewDocument(
        statuses=[StatusDocument(**vars(one)) for one in rows.status_counts(session)],
        kinds=[
            KindCounts(
                kind=kind,
                **{status: counts.get((kind, status), 0) for status in _SHOWN},
                capped=capped,
                paused=kind in paused,
            )
            for kind in (*names, *gone)
        ],
    )


_SHOWN = ("queued", "retrying", "running")


def _series(session: Session, minutes: int) -> SeriesDocument:
    step = next(step for step in STEPS if minutes <= step * MAX_POINTS)
    first = rows.minute_at(now()) - minutes + 1
    counted = rows.series(session, first - first % step, step)
    return SeriesDocument(step_seconds=step * rows.SECONDS, points=_points(counted))


def _points(counted: Iterable[Counted]) -> list[PointDocument]:
    sums: dict[tuple[int, str], _Sum] = defaultdict(_Sum)
    for one in counted:
        sums[one.minute, one.kind].add(one)
    return [sums[key].document(*key) for key in sorted(sums)]


@dataclass
class _Sum:
    """All that finished of one kind in one step."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    parts: list[Counted] = field(default_factory=list)

    def add(self, one: Counted) -> None:
        self.counts[one.outcome] += one.count
        if one.outcome != "cancelled":
            self.parts.append(one)

    def document(self, minute: int, kind: str) -> PointDocument:
        return PointDocument(
            at=rows.begin_of(minute),
            kind=kind,
            succeeded=self.counts["succeeded"],
            failed=self.counts["failed"],
            cancelled=self.counts["cancelled"],
            wait_seconds=self._seconds("wait"),
            run_seconds=self._seconds("run"),
        )

    def _seconds(self, what: str) -> SecondsDocument:
        count = sum(one.count for one in self.parts)
        if not count:
            return SecondsDocument(mean=None, max=None)
        total = sum(getattr(one, f"{what}_sum") for one in self.parts)
        highest = max(getattr(one, f"{what}_max") for one in self.parts)
        return SecondsDocument(mean=round(total / count, 4), max=round(highest, 4))
