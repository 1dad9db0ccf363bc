"""What routes get: the application's parts, and the parameters that several of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.background import BackgroundTasks

from service.api.admission import Admission
from service.api.ingest import Ingest
from service.api.looks import Looks
from service.runtime import Runtime
from service.tasks.engines import EmbeddedEngine, NoEngine

#: The largest JSON body any route reads, in bytes.
SMALL_BODY = 64 * 1024


@dataclass(frozen=True)
class Parts:
    """What one application is made of; the lifespan puts it together."""

    runtime: Runtime
    engine: EmbeddedEngine | NoEngine
    admission: Admission
    ingest: Ingest
    looks: Looks

    def wake(self, background: BackgroundTasks, *task_ids: str) -> None:
        """After the response, tell the engine what was committed. A nudge that is lost is no
        loss: the engine's own clock finds the rows."""
        background.add_task(self.engine.submit, task_ids)


async def _parts(request: Request) -> Parts:  # not def: that would cost a hop to a thread
    parts: Parts = request.app.state.parts
    return parts


PartsDep = Annotated[Parts, Depends(_parts)]


async def _queue_room(parts: PartsDep) -> None:
    await parts.admission.check_queue()


#: For routes that enqueue: refuse while too many tasks wait.
QueueRoom = Depends(_queue_room)

Cursor = Annotated[
    str | None, Query(max_length=64, description="`next` of the page before this one.")
]
Limit = Annotated[int, Query(ge=1, le=100, description="Entries on a page.")]
