"""One open stream: what waits to be sent. Bounded, whatever its reader does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.api.live.messages import PING, RESET

#: Messages that may wait for a slow reader; past it, all of them become one `reset`.
MOST_WAITING = 500
#: What is handed to the connection at once, in bytes; one message may be more.
CHUNK_BYTES = 64 * 1024
#: Pause without anything to send after which a comment is, in seconds.
PING_SECONDS = 15.0


@dataclass(frozen=True)
class Topic:
    """What a stream is about: a `task` or an `image`, by its id."""

    kind: str = ""
    id: str = ""


#: The topic of a stream that is about no task or image of its own.
EVERYTHING = Topic()


@dataclass(frozen=True)
class Encoded:
    """A message as it is sent, and what it is about: a newer one takes its place."""

    about: tuple[str, str]
    id: str
    data: bytes


class Stream:
    """Filled by the follower, emptied by the connection; both on the event loop."""

    def __init__(self, topic: Topic, last: str | None = None) -> None:
        self.topic = topic
        #: The id of the last event its client has, as it says itself; then of the last one here.
        self.last = last
        #: Cuts the connection, for a client that does not read.
        self.cut: Callable[[], None] = _nothing
        self._waiting: dict[tuple[str, str], bytes] = {}
        self._filled = asyncio.Event()
        self._ended = False

    def fill(self, messages: Sequence[Encoded]) -> None:
        """Send these soon, each in place of an older one about the same."""
        for message in messages:
            self._waiting.pop(message.about, None)
            self._waiting[message.about] = message.data
        if len(self._waiting) > MOST_WAITING:
            self.reset(messages[-1].id)
        self._filled.set()

    def reset(self, event_id: str) -> None:
        """Have the client load everything anew, in place of all that waits."""
        self._waiting = {(RESET.event, RESET.about): RESET.encoded(event_id)}
        self._filled.set()

    def end(self) -> None:
        """Send what waits, and nothing after it."""
        self._ended = True
        self._filled.set()

    async def next(self) -> bytes | None:
        """What is to be sent now: events, or a comment after a pause; None at the end."""
        if not self._waiting and not self._ended:
            self._filled.clear()
            try:
                async with asyncio.timeout(PING_SECONDS):
                    await self._filled.wait()
            except TimeoutError:
                return PING
        return self._taken() or None

    def _taken(self) -> bytes:
        chunk = bytearray()
        while self._waiting and len(chunk) < CHUNK_BYTES:
            chunk += self._waiting.pop(next(iter(self._waiting)))
        return bytes(chunk)


def _nothing() -> None:
    pass
