"""An answer given before the whole body was read.

Closing a connection with unread bytes on it makes the system reset it, and the client may lose
the answer it was about to read. So the answer goes out whole, then what still comes is thrown
away for a short while, and only then the connection ends.
"""

from __future__ import annotations

import asyncio

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

#: How long, and how much, a client may go on sending after the answer.
LINGER_SECONDS = 2.0
LINGER_BYTES = 8 * 1024 * 1024

#: Where in the ASGI scope the body's reader notes that it has read to the end.
BODY_STATE = "pixmill.body"
#: Where the server puts what cuts a request's connection at once.
ABORT = "pixmill.abort"
#: Where, in the lifespan's state, it finds what ends all streams when it stops.
END_STREAMS = "pixmill.end_streams"


class ClosingResponse(Response):
    """A response that ends the connection if the request's body was begun or announced but not
    read to its end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send; linger where bytes may still come."""
        if not _has_unread_body(scope):
            await super().__call__(scope, receive, send)
            return
        self.headers["Connection"] = "close"
        head = {"type": "http.response.start", "status": self.status_code}
        await send({**head, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        if _wants_linger(scope):
            await _discard(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _has_unread_body(scope: Scope) -> bool:
    return scope.get(BODY_STATE) == "unread"


def _wants_linger(scope: Scope) -> bool:
    # A client that waits for "100 Continue" sends nothing unless we read.
    return not any(name == b"expect" for name, _ in scope["headers"])


async def _discard(receive: Receive) -> None:
    discarded = 0
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while discarded < LINGER_BYTES:
                message = await receive()
                discarded += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
    except TimeoutError:
        pass
