"""Reads what has changed, as long as somebody listens, and hands it to all open streams.

The rows are the truth: so it makes no difference which process, engine or machine changed them. One
look serves all streams of this process. Looks are TICK_SECONDS apart; news from this process, or
from a neighbour, brings the next one forward.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from service.api.live.looking import Mark, Seen, Wanted, Watched, look
from service.api.live.messages import RESET, Message
from service.api.live.stream import EVERYTHING, Encoded, Stream, Topic
from service.errors import TooManyStreams
from service.events import Event
from service.logs import logger
from service.runtime import Runtime
from service.tasks.rows import changes
from service.tasks.rows.changes import Known, Position

log = logger(__name__)

#: From one look to the next, in seconds; the shortest time in between, whatever happens; and the
#: time after a look that found too much, or could not be had.
TICK_SECONDS = 0.25
SHORTEST_SECONDS = 0.05
LONG_SECONDS = 1.0
#: What a stop gives a client that does not read, in seconds, before its connection is cut.
STOP_SECONDS = 0.5


class Follower:
    """One an application."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._loop = asyncio.get_running_loop()
        self._streams: dict[Topic, set[Stream]] = {}
        self._open = 0
        #: Those who come back, with what they have seen.
        self._returned: dict[Stream, Position] = {}
        self._known: Known | None = None
        self._statuses: Mapping[str, str] = {}
        self._marks: dict[Topic, Mark | None] = {}
        self._news = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._stopped = False
        runtime.events.subscribe(self._on_event)

    def check_room(self) -> None:
        """Let one more stream in. Raises: TooManyStreams."""
        limit = self._runtime.settings.max_streams
        if self._open >= limit:
            raise TooManyStreams(
                "Too many streams of events are open; ask now and then instead.",
                limit=limit,
                actual=self._open + 1,
                retry_after_seconds=10,
            )

    async def begin(self) -> None:
        """Know where the changes begin, for a stream of everything. Raises: DatabaseFailed."""
        if EVERYTHING not in self._streams:
            known = await self._runtime.database.read(changes.begin)
            if EVERYTHING not in self._streams:
                self._known = known

    @contextmanager
    def following(self, stream: Stream) -> Iterator[str | None]:
        """Fill the stream from now on; the id to begin with, where there is one."""
        self._streams.setdefault(stream.topic, set()).add(stream)
        self._open += 1
        self._runtime.metrics.streams.inc()
        try:
            yield self._joined(stream)
        finally:
            self._runtime.metrics.streams.dec()
            self._open -= 1
            self._leave(stream)

    def stop(self) -> None:
        """End all streams, and whatever would be opened after them."""
        self._stopped = True
        for stream in [one for streams in self._streams.values() for one in streams]:
            stream.end()
            self._loop.call_later(STOP_SECONDS, stream.cut)

    async def close(self) -> None:
        """Look no more."""
        self.stop()
        if self._following:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    def _joined(self, stream: Stream) -> str | None:
        if self._stopped:
            stream.end()
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._follow(), name="follower")
        self._news.set()
        if stream.topic != EVERYTHING:
            self._marks[stream.topic] = None  # as if it had changed
            return stream.last
        here = str(self._known.position) if self._known else None
        if stream.last is None:
            return here
        if (since := Position.parse(stream.last)) is None:
            stream.reset(here or "")
            return here
        self._returned[stream] = since
        return stream.last

    def _leave(self, stream: Stream) -> None:
        self._returned.pop(stream, None)
        streams = self._streams[stream.topic]
        streams.discard(stream)
        if not streams:
            del self._streams[stream.topic]
            self._marks.pop(stream.topic, None)

    async def _follow(self) -> None:
        """Look and hand out, as long as there are streams."""
        while self._streams:
            self._news.clear()
            try:
                is_much = await self._tick()
            except Exception:
                log.exception("follower_failed")
                is_much = True
            await asyncio.sleep(LONG_SECONDS if is_much else SHORTEST_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS - SHORTEST_SECONDS):
                    await self._news.wait()

    async def _tick(self) -> bool:
        """One look; whether it found too much to be told."""
        returned, self._returned = self._returned, {}
        wanted = self._wanted(returned.values())
        view = self._runtime.view
        try:
            seen = await self._runtime.database.read(look, wanted, view)
        except Exception:
            self._returned = returned | self._returned
            raise
        self._hand_out_missed(seen, wanted, returned)
        self._hand_out_news(seen)
        self._statuses = seen.statuses
        for kind, watched in (("task", seen.tasks), ("image", seen.images)):
            for one, found in watched.items():
                self._hand_out_watched(Topic(kind, one), found)
        return RESET in seen.news

    def _wanted(self, returned: Iterable[Position]) -> Wanted:
        """Who comes back from different places is told from the earliest on."""
        places = list(returned)
        since = Position(min(p.line for p in places), min(p.at for p in places)) if places else None
        return Wanted(
            known=self._known if EVERYTHING in self._streams else None,
            since=since,
            statuses=self._statuses,
            tasks={topic.id: mark for topic, mark in self._marks.items() if topic.kind == "task"},
            images={topic.id: mark for topic, mark in self._marks.items() if topic.kind == "image"},
        )

    def _hand_out_missed(self, seen: Seen, wanted: Wanted, returned: Iterable[Stream]) -> None:
        missed = _encoded(seen.missed, str(wanted.since), str(wanted.since))
        for stream in returned:
            stream.fill(missed)

    def _hand_out_news(self, seen: Seen) -> None:
        """Who was cut off in the middle of it comes back with the position before."""
        before, self._known = self._known, seen.known or self._known
        if before is None or seen.known is None or not seen.news:
            return
        news = _encoded(seen.news, str(before.position), str(seen.known.position))
        for stream in self._streams.get(EVERYTHING, ()):
            stream.fill(news)

    def _hand_out_watched(self, topic: Topic, found: Watched) -> None:
        streams = self._streams.get(topic, ())
        if streams:
            self._marks[topic] = found.mark
        for stream in streams:
            _tell(stream, found.messages)
            if found.is_final:
                stream.end()

    def _on_event(self, event: Event) -> None:  # noqa: ARG002 - any may have changed a row
        """Look soon; from any thread."""
        if self._open and not self._news.is_set():
            self._loop.call_soon_threadsafe(self._news.set)


def _encoded(messages: Sequence[Message], before: str, after: str) -> list[Encoded]:
    """As they are sent; only the last one says that all were."""
    ids = [*[before] * (len(messages) - 1), after]
    return [
        Encoded((one.event, one.about), event_id, one.encoded(event_id))
        for one, event_id in zip(messages, ids, strict=False)
    ]


def _tell(stream: Stream, messages: Sequence[Message]) -> None:
    """Its document, unless the client has that one, and what goes with it."""
    for message in messages[:1]:
        if message.digest == stream.last:
            messages = messages[1:]
        stream.last = message.digest
    stream.fill(_encoded(messages, stream.last or "", stream.last or ""))
