"""The threads that touch pixels: as many as cores, at a lower priority than the event loop.

Nothing can stop a thread. One whose attempt was given up finds that out at its next checkpoint,
between two steps of its work; one that does not come to it within a grace time counts as
abandoned: the pool grows by it, so that it takes no place from the others, until it ends after
all. It grows no further than `spare`.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Generic, ParamSpec, TypeVar

import anyio

from service.interrupting import GivenUp, asking, checkpoint
from service.isolation.calls import once
from service.tasks.work import off_the_clock, only

P = ParamSpec("P")
T = TypeVar("T")

#: Linux lets a single thread be nice: requests are answered while all cores make pictures.
NICENESS = 10
GRACE_SECONDS = 5.0


class PixelThreads:
    """Implements Place; with a limiter of its own, so that no request ever waits for a picture."""

    def __init__(
        self,
        count: int,
        *,
        spare: int = 0,
        grace_seconds: float = GRACE_SECONDS,
        on_abandoned: Callable[[], None] = lambda: None,
    ) -> None:
        self.limiter = anyio.CapacityLimiter(count)
        self._count = count
        self._spare = spare
        self._grace_seconds = grace_seconds
        self._on_abandoned = on_abandoned
        self._working: set[Future[None]] = set()
        self._abandoned: set[Future[None]] = set()
        self._pool = ThreadPoolExecutor(
            count + spare, thread_name_prefix="pixels", initializer=_lower_priority
        )

    @property
    def busy(self) -> int:
        """How many threads work, the abandoned ones included."""
        return len(self._working)

    @property
    def abandoned(self) -> int:
        """How many of them nobody waits for any more."""
        return len(self._abandoned)

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in a thread, once one is free, and return its result."""
        return await only(self.stream(once, function, *args, **kwargs))

    async def stream(
        self, function: Callable[P, Iterator[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T]:
        """Yield what `function` yields in a thread, once one is free.

        A thread whose caller gave up keeps its place until it has ended, or is abandoned.
        """
        place = object()
        async with off_the_clock():
            await self.limiter.acquire_on_behalf_of(place)
        loop = asyncio.get_running_loop()
        passing: _Passing[T] = _Passing(loop)
        thread = self._pool.submit(passing.fill, partial(function, *args, **kwargs))
        self._working.add(thread)

        def ended(thread: Future[None]) -> None:
            with suppress(RuntimeError):  # the loop is gone: the process is ending
                loop.call_soon_threadsafe(self._end, thread, place)

        thread.add_done_callback(ended)
        try:
            async with aclosing(passing.values()) as values:
                async for value in values:
                    yield value
        finally:
            passing.give_up()
            if not passing.is_over and not thread.cancel():
                loop.call_later(self._grace_seconds, self._abandon, thread)

    def close(self) -> None:
        """Let the threads end after what they do now."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _end(self, thread: Future[None], place: object) -> None:
        self._working.discard(thread)
        self._abandoned.discard(thread)
        self.limiter.release_on_behalf_of(place)
        self._resize()

    def _abandon(self, thread: Future[None]) -> None:
        if thread in self._working:
            self._abandoned.add(thread)
            self._resize()
            self._on_abandoned()

    def _resize(self) -> None:
        self.limiter.total_tokens = self._count + min(len(self._abandoned), self._spare)


@dataclass(frozen=True)
class _Over:
    """There are no more values, or an error instead of the next one."""

    error: BaseException | None = None


class _Passing(Generic[T]):
    """The way of values from a thread to the event loop: each is passed when it is asked for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.is_over = False
        self._loop = loop
        self._wanted = threading.Semaphore(0)
        self._given_up = False
        self._passed: asyncio.Queue[T | _Over] = asyncio.Queue()

    def fill(self, function: Callable[[], Iterator[T]]) -> None:
        """In the thread: make the values; stop at the next checkpoint once they are given up."""
        try:
            with asking(lambda: self._given_up):
                for value in function():
                    self._wanted.acquire()
                    checkpoint()
                    self._pass(value)
        except GivenUp:
            return
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever takes the values
            self._pass(_Over(error))
        else:
            self._pass(_Over())

    async def values(self) -> AsyncGenerator[T]:
        """In the event loop: the values, and at last what the function raised, if it did."""
        while not self.is_over:
            self._wanted.release()
            passed = await self._passed.get()
            if not isinstance(passed, _Over):
                yield passed
                continue
            self.is_over = True
            if passed.error:
                raise passed.error

    def give_up(self) -> None:
        """In the event loop: nobody takes more."""
        self._given_up = True
        self._wanted.release()

    def _pass(self, passed: T | _Over) -> None:
        with suppress(RuntimeError):  # the loop is gone: the process is ending
            self._loop.call_soon_threadsafe(self._passed.put_nowait, passed)


def _lower_priority() -> None:
    with suppress(AttributeError, OSError):  # not on this system
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
