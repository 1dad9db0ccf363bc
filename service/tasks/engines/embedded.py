"""The engine inside the API's own process: it claims due rows and carries them out.

Two loops. `_work` fills free places with due tasks, the most urgent first; it is woken by
`submit`, by the end of a task, and by a slow clock that finds what nobody told it of. `_keep`
renews the leases of what runs here and rescues what dead workers left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from sqlalchemy.orm import Session

from service.runtime import Runtime
from service.tasks import rows, runner
from service.tasks.engines.liveness import open_liveness
from service.tasks.engines.rescuing import rescue_lost
from service.tasks.engines.threads import PixelThreads
from service.tasks.registry import Lane
from service.tasks.words import TaskRow

log = structlog.get_logger(__name__)

#: Places for tasks that mostly wait for a mail server or a disk.
LIGHT_PLACES = 16
#: Places for pictures, a thread: while one is decoded, another is stored and recorded.
PIXEL_PLACES_PER_THREAD = 2


class EmbeddedEngine:
    """Implements Engine, and Site for the runner."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.settings
        self.threads = PixelThreads(self._settings.pixel_threads)
        self._liveness = open_liveness(self._settings.database_url)
        self._places = {
            Lane.PIXELS: PIXEL_PLACES_PER_THREAD * self._settings.pixel_threads,
            Lane.LIGHT: LIGHT_PLACES,
        }
        self._running: dict[asyncio.Task[None], tuple[Lane, TaskRow]] = {}
        self._loops: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._draining = False
        metrics = runtime.metrics
        metrics.threads.set(self._settings.pixel_threads)
        metrics.threads_busy.set_function(lambda: self.threads.limiter.borrowed_tokens)

    @property
    def worker(self) -> str:
        """The name that rows running here carry."""
        return self._liveness.worker

    async def start(self) -> None:
        """Rescue what dead workers left, then begin both loops."""
        await self._rescue()
        self._loops = [
            asyncio.create_task(self._repeat(self._work), name="engine-work"),
            asyncio.create_task(self._repeat(self._keep), name="engine-keep"),
        ]

    def submit(self, ids: Sequence[str]) -> None:  # noqa: ARG002 - the rows say it better
        """Look for due tasks now."""
        self._wake.set()

    async def drain(self, seconds: float) -> None:
        """Claim no more, and wait up to `seconds` for what runs."""
        self._draining = True
        self._wake.set()
        for working in self._loops[:1]:
            await working  # what it claims at this moment still begins
        if self._running:
            log.info("draining", running=len(self._running), seconds=seconds)
            await asyncio.wait(self._running, timeout=seconds)

    async def stop(self) -> None:
        """Give back what still runs, its attempt unspent, and end."""
        await self.drain(0)
        ending = [*self._loops, *self._running]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        self.threads.close()
        self._liveness.close()

    @property
    def is_alive(self) -> bool:
        """Whether both loops run."""
        return bool(self._loops) and not any(loop.done() for loop in self._loops)

    async def _repeat(self, step: Callable[[], Awaitable[bool]]) -> None:
        """Repeat `step` while it says so; a fault of database or disk is counted and outlived."""
        going_on = True
        while going_on:
            try:
                going_on = await step()
            except Exception:
                self._runtime.metrics.engine_errors.inc()
                log.exception("engine_step_failed")
                await asyncio.sleep(self._settings.poll_seconds)

    async def _work(self) -> bool:
        """Fill the free places, then wait until there may be more to do; until draining."""
        if self._draining:
            return False
        self._wake.clear()
        free = self._free()
        claimed = await self._runtime.database.write(self._claim, free)
        for lane, task in claimed:
            self._begin(lane, task)
        if not claimed:  # else there may be more: look again at once
            await self._wait_for_work()
        return True

    def _free(self) -> dict[Lane, int]:
        taken = [lane for lane, _ in self._running.values()]
        return {lane: places - taken.count(lane) for lane, places in self._places.items()}

    def _claim(self, session: Session, free: dict[Lane, int]) -> list[tuple[Lane, TaskRow]]:
        lease_seconds = self._settings.lease_seconds
        return [
            (lane, task)
            for lane, limit in free.items()
            if limit
            for task in rows.claim(
                session, worker=self.worker, limit=limit, lease_seconds=lease_seconds, lane=lane
            )
        ]

    def _begin(self, lane: Lane, row: TaskRow) -> None:
        task = asyncio.create_task(runner.carry_out(self._runtime, self, row), name=row.id)
        self._running[task] = (lane, row)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            self._runtime.metrics.engine_errors.inc()
            log.error("task_escaped", exc_info=error)

    async def _wait_for_work(self) -> None:
        try:
            async with asyncio.timeout(self._settings.poll_seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _keep(self) -> bool:
        """Renew what runs here and rescue what does not run anywhere; for ever."""
        await asyncio.sleep(min(self._settings.lease_seconds / 3, self._settings.sweep_seconds))
        tokens = [row.lease_token for _, row in self._running.values()]
        if tokens:
            await self._runtime.database.write(rows.renew, tokens, self._settings.lease_seconds)
        await self._rescue()
        return True

    async def _rescue(self) -> None:
        spared = {row.lease_token for _, row in self._running.values()}
        if await rescue_lost(self._runtime, self._liveness, spared):
            self._wake.set()
