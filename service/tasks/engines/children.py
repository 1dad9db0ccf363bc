"""Child processes for pixels: what a decoder does there costs one attempt and nothing else.

A child is started when one is needed and none is idle, serves one call after another, and is
replaced after `CALLS`. An idle one ends after `IDLE_SECONDS`. One whose call was given up, by a
time limit or a cancel, is killed at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import ParamSpec, TypeVar

import anyio

from service.isolation.calls import once
from service.isolation.process import Child, start_child
from service.tasks.work import off_the_clock, only, seconds_left

P = ParamSpec("P")
T = TypeVar("T")

#: Calls after which a child is replaced: whatever it leaks is bounded.
CALLS = 200
IDLE_SECONDS = 60.0
#: What a child imports before its memory is bounded.
MODULES = ("service.imaging",)


class Children:
    """Implements Place; `places` is the limiter that the threads have too: a place is a core."""

    def __init__(
        self,
        places: anyio.CapacityLimiter,
        memory_bytes: int,
        *,
        modules: Sequence[str] = MODULES,
        calls: int = CALLS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._places = places
        self._memory_bytes = memory_bytes
        self._modules = modules
        self._calls = calls
        self._idle_seconds = idle_seconds
        self._idle: dict[Child, asyncio.TimerHandle] = {}
        self._busy: set[Child] = set()
        self._ending: set[asyncio.Task[int]] = set()

    @property
    def alive(self) -> int:
        """How many there are."""
        return len(self._busy) + len(self._idle)

    @property
    def busy(self) -> int:
        """How many of them work."""
        return len(self._busy)

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in a child, once there is a place, and return its result."""
        return await only(self.stream(once, function, *args, **kwargs))

    async def stream(
        self, function: Callable[P, Iterator[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T]:
        """Yield what `function` yields in a child, once there is a place.

        Raises: what `function` raises; WorkerCrashed, OutOfMemory, TimeLimitExceeded,
        ChildNotStarted.
        """
        place = object()
        async with off_the_clock():
            await self._places.acquire_on_behalf_of(place)
        try:
            async with off_the_clock():
                child = await self._taken()
            try:
                async with aclosing(child.call(function, args, kwargs, seconds_left())) as values:
                    async for value in values:
                        yield value
            finally:
                self._put_back(child)
        finally:
            self._places.release_on_behalf_of(place)

    async def close(self) -> None:
        """Kill all there are and see them gone."""
        for child in (*self._idle, *self._busy):
            self._end(child)
        await asyncio.gather(*self._ending)

    async def _taken(self) -> Child:
        child = self._awake() or await start_child(self._memory_bytes, self._modules)
        self._busy.add(child)
        return child

    def _awake(self) -> Child | None:
        """The child that was idle last, unless it died of something meanwhile."""
        while self._idle:
            child, timer = self._idle.popitem()
            timer.cancel()
            if child.is_alive:
                return child
            self._end(child)
        return None

    def _put_back(self, child: Child) -> None:
        self._busy.discard(child)
        if not child.is_free or child.calls >= self._calls:
            self._end(child)
            return
        loop = asyncio.get_running_loop()
        self._idle[child] = loop.call_later(self._idle_seconds, self._end, child)

    def _end(self, child: Child) -> None:
        """Kill a child and have it waited for; nothing it may still do is wanted."""
        self._busy.discard(child)
        if timer := self._idle.pop(child, None):
            timer.cancel()
        child.kill()
        ending = asyncio.create_task(child.wait())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
