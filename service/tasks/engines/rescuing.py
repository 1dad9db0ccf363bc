"""Tasks that run nowhere any more, taken from their dead workers."""

from __future__ import annotations

from collections.abc import Container

from sqlalchemy.orm import Session

from service.logs import logger
from service.runtime import Runtime
from service.tasks import rows
from service.tasks.engines.liveness import Liveness
from service.tasks.words import TaskRow

log = logger(__name__)


async def rescue_lost(runtime: Runtime, liveness: Liveness, spared: Container[str] = ()) -> bool:
    """Take lost tasks back, but those whose lease tokens are spared; say whether there were any."""
    lost = await runtime.database.read(_lost, liveness, spared)
    for task in lost:
        await runtime.database.write(_rescue_one, runtime, task)
        log.warning("task_rescued", task_id=task.id, kind=task.kind, worker=task.worker)
    return bool(lost)


def _lost(session: Session, liveness: Liveness, spared: Container[str]) -> list[TaskRow]:
    lost = rows.lost(session, liveness.dead(rows.workers(session)))
    return [task for task in lost if task.lease_token not in spared]


def _rescue_one(session: Session, runtime: Runtime, task: TaskRow) -> None:
    ended = rows.rescue(session, task, runtime.settings.max_crashes)
    runtime.registry.tell(session, ended or ())
