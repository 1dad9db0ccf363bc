"""The answer that is a stream of events, and goes on until one side has had enough."""

from __future__ import annotations

import asyncio

from fastapi.sse import EventSourceResponse
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.api.closing import ABORT
from service.api.live.follower import Follower
from service.api.live.messages import opening
from service.api.live.stream import Stream
from service.api.observe import IS_HEAD

#: Longest wait for a client to take what was sent, in seconds; then its connection is cut.
STUCK_SECONDS = 30.0
HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would gather events before it passes them on
}


class EventStream(Response):
    """Send what the follower puts into a stream; it is the follower's for as long as that takes."""

    media_type = EventSourceResponse.media_type

    def __init__(self, follower: Follower, stream: Stream) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]  # nobody knows
        self._follower = follower
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve until the stream ends, the client goes, or the server stops."""
        self._stream.cut = scope.get(ABORT, self._stream.cut)
        with self._follower.following(self._stream) as event_id:
            head = {"type": "http.response.start", "status": self.status_code}
            await send({**head, "headers": self.raw_headers})
            leaving = asyncio.create_task(self._end_when_gone(receive))
            try:
                chunk = None if scope.get(IS_HEAD) else opening(event_id)
                while chunk is not None:
                    await self._send(send, chunk, more=True)
                    chunk = await self._stream.next()
                await self._send(send, b"", more=False)
            finally:
                leaving.cancel()

    async def _send(self, send: Send, chunk: bytes, *, more: bool) -> None:
        stuck = asyncio.get_running_loop().call_later(STUCK_SECONDS, self._stream.cut)
        try:
            await send({"type": "http.response.body", "body": chunk, "more_body": more})
        finally:
            stuck.cancel()

    async def _end_when_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._stream.end()
