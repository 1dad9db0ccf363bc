"""The HTTP server's own limits, and bodies that are handed on without being copied.

What one read of a connection takes is handed through a dozen functions, which cost the same for few
bytes as for many, and is in memory until it is written. `Reading` takes much of each connection
where there are few, and little where there are many.

uvicorn's fast parser takes headers of any size and number. What passes these bounds is answered
with 400 by the server itself and its connection closed, as other malformed requests are.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.api.closing import ABORT, END_STREAMS

#: Bytes and fields of a request's head: several times what browsers and proxies send.
MAX_HEAD_BYTES = 64 * 1024
MAX_FIELDS = 100
#: What one read of a connection takes, in bytes: its share of what all may, within these bounds.
READ_BYTES_TOGETHER = 6 * 1024 * 1024
MIN_READ_BYTES = 64 * 1024
MAX_READ_BYTES = 1024 * 1024


class Reading(asyncio.BufferedProtocol):
    """A connection whose bytes come by reads of a fair size to uvicorn's protocol.

    `buffer` is that of all connections of an event loop: what a read put there is taken out before
    the next.
    """

    def __init__(self, buffer: memoryview, /, *args: Any, **kwargs: Any) -> None:
        self._buffer = buffer
        self._http = BoundedProtocol(*args, **kwargs)
        self.connection_made = self._http.connection_made  # type: ignore[method-assign,assignment]
        self.connection_lost = self._http.connection_lost  # type: ignore[method-assign]
        self.pause_writing = self._http.pause_writing  # type: ignore[method-assign]
        self.resume_writing = self._http.resume_writing  # type: ignore[method-assign]

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the event loop's
        """Where the next read goes, as large as it may be."""
        fair = READ_BYTES_TOGETHER // max(1, len(self._http.connections))
        return self._buffer[: max(MIN_READ_BYTES, min(MAX_READ_BYTES, fair))]

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes were read."""
        # Its parser looks at them where they are, and takes out what it hands on.
        self._http.data_received(self._buffer[:nbytes])  # type: ignore[arg-type]


def reading() -> Any:
    """What makes the protocol of each connection of one server, as uvicorn wants it."""
    return partial(Reading, memoryview(bytearray(MAX_READ_BYTES)))


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with bounded heads and without trailers, which nothing here reads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0
        self._fields = 0

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless the head has grown past its bound."""
        self._head_bytes += len(data) if self._in_head else 0
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's head is too large.")

    def on_message_begin(self) -> None:
        """A new request begins on the connection."""
        self._in_head, self._head_bytes, self._fields = True, 0, 0
        super().on_message_begin()
        self.scope[ABORT] = self.transport.abort  # type: ignore[literal-required]

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. Raises: ValueError, which the parser turns into a refusal."""
        self._fields += 1
        if self._fields > MAX_FIELDS or not self._in_head:
            raise ValueError("too many headers, or a trailer")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head has come whole."""
        self._in_head = False
        super().on_headers_complete()

    def shutdown(self) -> None:
        """The server stops: what has no end of its own ends now."""
        self.app_state.get(END_STREAMS, lambda: None)()
        super().shutdown()

    def on_body(self, body: bytes) -> None:
        """Keep what came for whoever reads the body.

        Usually all before it has been read: then the parser's own bytes are passed on, where
        uvicorn copies them into a buffer and that once more into a message.
        """
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body = bytes(cycle.body) + body if cycle.body else body  # type: ignore[assignment]
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()
