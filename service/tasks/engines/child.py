"""One process of a worker that runs one task at a time, handed to it by its id.

The process is the isolation: a decoder that crashes takes down this one attempt. So it is a worker
of its own in the eyes of the others, with a life that they can see end.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from service.config import Settings
from service.logs import logger
from service.runtime import open_runtime
from service.tasks import rows, runner
from service.tasks.engines.children import Children
from service.tasks.engines.liveness import open_liveness
from service.tasks.engines.threads import PixelThreads
from service.tasks.registry import Kind
from service.tasks.work import Cancellation

log = logger(__name__)

#: Pause between two looks whether the task is to be cancelled, in seconds.
HEED_SECONDS = 0.5
#: Exit code of a process that ends because a thread of it goes on for ever.
WORN_OUT = 70


class Child:
    """Implements Site for the runner, on a runtime and an event loop of its own."""

    def __init__(self, settings: Settings, kinds: Iterable[Kind]) -> None:
        """Raises: what opening a runtime raises; whoever calls may try again."""
        self._settings = settings
        self._loop = asyncio.Runner()
        self._opening = open_runtime(settings, kinds)
        self._runtime = self._loop.run(self._opening.__aenter__())
        self._liveness = open_liveness(settings.database_url)
        self.threads = PixelThreads(1)
        self.children = Children(self.threads.limiter, settings.child_memory_bytes)
        metrics = self._runtime.metrics
        metrics.threads.set(1)
        metrics.watch(metrics.threads_busy, lambda: self.threads.busy)

    @property
    def worker(self) -> str:
        """The name that rows running here carry."""
        return self._liveness.worker

    def run(self, task_id: str) -> None:
        """Carry out a task, if it is there to be claimed; SIGTERM gives it back to the queue."""
        self._loop.run(self._run(task_id))

    def close(self) -> None:
        """Let go of everything."""
        self._loop.run(self.children.close())
        self.threads.close()
        self._loop.run(self._opening.__aexit__(None, None, None))
        self._liveness.close()
        self._loop.close()

    async def _run(self, task_id: str) -> None:
        cancelled = Cancellation()
        attempt = asyncio.create_task(runner.run(self._runtime, self, task_id, cancelled))
        beside = [
            asyncio.create_task(self._renew()),
            asyncio.create_task(self._heed(task_id, cancelled)),
        ]
        with _on_sigterm(attempt.cancel):
            await asyncio.wait([attempt])
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        if not attempt.cancelled() and not attempt.result():
            self._runtime.metrics.deliveries_dropped.inc()
        await self._end_if_worn_out()

    async def _renew(self) -> None:
        """Keep the lease of what runs here, for as long as it does."""
        seconds = self._settings.lease_seconds
        while True:
            await asyncio.sleep(seconds / 3)
            with self._outliving():
                await self._runtime.database.write_unsynced(rows.renew_all, self.worker, seconds)

    async def _heed(self, task_id: str, cancelled: Cancellation) -> None:
        """Stop what somebody asked to cancel."""
        while True:
            await asyncio.sleep(HEED_SECONDS)
            self._runtime.metrics.look()
            with self._outliving():
                if await self._runtime.database.read(rows.asked_to_stop, [task_id]):
                    cancelled.ask()

    @contextmanager
    def _outliving(self) -> Iterator[None]:
        """A database that does not answer now may answer the next time."""
        try:
            yield
        except Exception:
            self._runtime.metrics.engine_errors.inc()
            log.exception("engine_step_failed")

    async def _end_if_worn_out(self) -> None:
        """End the process if a thread goes on though its attempt was given up: nothing stops it."""
        try:
            async with asyncio.timeout(self._settings.abandon_seconds):
                async with self.threads.limiter:
                    return
        except TimeoutError:
            self._runtime.metrics.abandoned.inc()
            log.error("worn_out")
            os._exit(WORN_OUT)


@contextmanager
def _on_sigterm(react: Callable[[], object]) -> Iterator[None]:
    """Have the event loop call `react` when SIGTERM comes, instead of what is set up for it."""
    loop = asyncio.get_running_loop()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(react)

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
