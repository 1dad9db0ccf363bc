"""What routes get: the application's parts, and the parameters that several of them share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.background import BackgroundTasks

from service.api import body
from service.api.admission import Admission
from service.api.ingest import Ingest
from service.api.live.follower import Follower
from service.api.looks import Looks
from service.api.previewing import Previews
from service.api.rendering import Rendering
from service.api.waiting import Waiting
from service.errors import ClientGone, MalformedBody, TooLarge, TooSlow, UnsupportedFormat
from service.runtime import Runtime
from service.tasks.engines import EmbeddedEngine, NoEngine, RelayEngine
from service.tasks.engines.neighbours import WAKE, Neighbours

#: The largest JSON body any route reads, in bytes.
SMALL_BODY = 64 * 1024
#: What `JsonRoute` refuses.
BODY_ERRORS = (MalformedBody, ClientGone, TooSlow, TooLarge, UnsupportedFormat)


@dataclass(frozen=True)
class Parts:
    """What one application is made of; the lifespan puts it together."""

    runtime: Runtime
    engine: EmbeddedEngine | RelayEngine | NoEngine
    neighbours: Neighbours
    admission: Admission
    ingest: Ingest
    looks: Looks
    waiting: Waiting
    follower: Follower
    rendering: Rendering
    previews: Previews

    def wake(self, background: BackgroundTasks, *task_ids: str) -> None:
        """After the response, tell the engine and its neighbours what was committed. A nudge
        that is lost is no loss: every engine's own clock finds the rows."""
        background.add_task(self._submit, task_ids)

    async def _submit(self, task_ids: Sequence[str]) -> None:
        self.submit(task_ids)

    def submit(self, task_ids: Sequence[str]) -> None:
        """Tell them now."""
        self.engine.submit(task_ids)
        self.neighbours.tell(WAKE)


class JsonRoute(APIRoute):
    """A route whose JSON body our own reader reads: bounded, paced, and refused as a problem."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler, given the whole body."""
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            if self.body_field is not None:
                body.announce(request)
                body.check_head(request, SMALL_BODY)
                chunks = body.chunks(request, request.app.state.settings, SMALL_BODY)
                request._body = b"".join([bytes(chunk) async for chunk in chunks])
            return await handle(request)

        return bounded


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
#: A word of the client's for one request, which it may send again. Printable ASCII, no spaces.
RequestKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,255}$",
        description="The same key again within a day: the same answer, and nothing is begun twice.",
    ),
]
ImageId = Annotated[str, Path(max_length=64, description="The image's id.")]
