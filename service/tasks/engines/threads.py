"""The threads that touch pixels: as many as cores, at a lower priority than the event loop."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

import anyio

from service.tasks.work import off_the_clock

P = ParamSpec("P")
T = TypeVar("T")

#: Linux lets a single thread be nice: requests are answered while all cores make pictures.
NICENESS = 10


class PixelThreads:
    """A pool with a limiter of its own, so that no request ever waits for a picture's thread."""

    def __init__(self, count: int) -> None:
        self.limiter = anyio.CapacityLimiter(count)
        self._pool = ThreadPoolExecutor(
            count, thread_name_prefix="pixels", initializer=_lower_priority
        )

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in a thread, once one is free, and return its result.

        A cancelled caller stops waiting; the thread, which nothing can stop, keeps its place in
        the limiter until it has really ended.
        """
        place = object()
        async with off_the_clock():
            await self.limiter.acquire_on_behalf_of(place)
        loop = asyncio.get_running_loop()

        def release(_: Future[T]) -> None:
            with suppress(RuntimeError):  # the loop is gone: the process is ending
                loop.call_soon_threadsafe(self.limiter.release_on_behalf_of, place)

        future = self._pool.submit(function, *args, **kwargs)
        future.add_done_callback(release)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let the threads end after what they do now."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _lower_priority() -> None:
    with suppress(AttributeError, OSError):  # not on this system
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
