"""The engine inside the API's own process: it claims due rows and carries them out.

Three loops. `_work` fills free places with due tasks, the most urgent first; it is woken by
`submit`, by the end of a task, at the time the next one is due, and by a slow clock that finds what
nobody told it of. `_keep` renews the leases of what runs here and rescues what dead workers left.
`_heed` looks whether another process was asked to cancel what runs here; what this process was
asked it hears at once, as an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.orm import Session

from service.events import Event, Listener
from service.logs import logger
from service.runtime import Runtime
from service.tasks import rows, runner
from service.tasks.engines.children import Children
from service.tasks.engines.liveness import open_liveness
from service.tasks.engines.rescuing import rescue_lost
from service.tasks.engines.threads import PixelThreads
from service.tasks.registry import Lane
from service.tasks.words import TaskRow
from service.tasks.work import Cancellation

log = logger(__name__)

#: Places for tasks that mostly wait for a mail server or a disk.
LIGHT_PLACES = 16
#: Places for pictures, a thread: while one is decoded, another is stored and recorded.
PIXEL_PLACES_PER_THREAD = 2
#: Pause after a claim that found no more, in seconds: what is enqueued one by one meanwhile is
#: claimed together, which takes a third less work a task.
GATHER_SECONDS = 0.005
#: Longest wait before a wish to cancel that another process took is seen, in seconds.
HEED_SECONDS = 0.5


@dataclass(frozen=True)
class Running:
    """What occupies a place."""

    row: TaskRow
    cancelled: Cancellation


class EmbeddedEngine:
    """Implements Engine, and Site for the runner."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.settings
        self.threads = PixelThreads(
            self._settings.pixel_threads,
            spare=self._settings.max_abandoned + 1,  # with the last one it drains, but works
            grace_seconds=self._settings.abandon_seconds,
            on_abandoned=self._on_abandoned,
        )
        self.children = Children(self.threads.limiter, self._settings.child_memory_bytes)
        self._liveness = open_liveness(self._settings.database_url)
        self._places = {
            Lane.PIXELS: PIXEL_PLACES_PER_THREAD * self._settings.pixel_threads,
            Lane.LIGHT: LIGHT_PLACES,
        }
        self._running: dict[asyncio.Task[None], Running] = {}
        self._loops: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._draining = False
        self._worn_out = asyncio.Event()
        metrics = runtime.metrics
        metrics.threads.set(self._settings.pixel_threads)
        metrics.watch(metrics.threads_busy, lambda: self.threads.busy)
        metrics.watch(metrics.threads_abandoned, lambda: self.threads.abandoned)
        metrics.watch(metrics.children, lambda: self.children.alive)
        metrics.watch(metrics.children_busy, lambda: self.children.busy)

    @property
    def worker(self) -> str:
        """The name that rows running here carry."""
        return self._liveness.worker

    async def start(self) -> None:
        """Rescue what dead workers left, then begin the loops."""
        await self._rescue()
        self._runtime.events.subscribe(self._hearer(asyncio.get_running_loop()))
        self._loops = [
            asyncio.create_task(self._repeat(self._work), name="engine-work"),
            asyncio.create_task(self._repeat(self._keep), name="engine-keep"),
            asyncio.create_task(self._repeat(self._heed), name="engine-heed"),
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
        await self.children.close()
        self._liveness.close()

    async def worn_out(self) -> None:
        """Return when more threads hang than this process can bear."""
        await self._worn_out.wait()

    @property
    def is_worn_out(self) -> bool:
        """Whether more threads hang, or hung, than it can bear."""
        return self._worn_out.is_set()

    @property
    def health(self) -> str:
        """`ok`, or what is wrong."""
        if self.is_worn_out:
            return f"{self.threads.abandoned} threads hang: the process drains and ends"
        running = self._loops and not any(loop.done() for loop in self._loops)
        return "ok" if running else "stopped"

    def _on_abandoned(self) -> None:
        self._runtime.metrics.abandoned.inc()
        log.error("thread_abandoned", abandoned=self.threads.abandoned)
        if self.threads.abandoned > self._settings.max_abandoned:
            self._worn_out.set()

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
        claimed, to_next = await self._runtime.database.write_unsynced(self._claim, free)
        for task in claimed:
            self._begin(task)
        if not claimed:
            await self._wait_for_work(to_next)
        elif not _filled(free, claimed):  # else there may be more: look again at once
            await asyncio.sleep(GATHER_SECONDS)
        return True

    def _free(self) -> dict[Lane, int]:
        taken = [one.row.lane for one in self._running.values()]
        return {lane: places - taken.count(lane) for lane, places in self._places.items()}

    def _claim(self, session: Session, free: dict[Lane, int]) -> tuple[list[TaskRow], float | None]:
        """What was claimed; where that is nothing, how long until the next task is due."""
        lease_seconds = self._settings.lease_seconds
        claimed = rows.claim(session, free, worker=self.worker, lease_seconds=lease_seconds)
        return claimed, None if claimed else rows.seconds_to_next(session)

    def _begin(self, row: TaskRow) -> None:
        cancelled = Cancellation()
        attempt = runner.carry_out(self._runtime, self, row, cancelled)
        task = asyncio.create_task(attempt, name=row.id)
        self._running[task] = Running(row, cancelled)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            self._runtime.metrics.engine_errors.inc()
            log.error("task_escaped", exc_info=error)

    async def _wait_for_work(self, to_next: float | None) -> None:
        poll = self._settings.poll_seconds
        seconds = poll if to_next is None else min(poll, to_next)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _heed(self) -> bool:
        """Stop what another process was asked to cancel; for ever."""
        await asyncio.sleep(min(HEED_SECONDS, self._settings.poll_seconds))
        self._runtime.metrics.look()
        ids = [one.row.id for one in self._running.values()]
        if ids:
            for task_id in await self._runtime.database.read(rows.asked_to_stop, ids):
                self._cancel(task_id)
        return True

    def _hearer(self, loop: asyncio.AbstractEventLoop) -> Listener:
        """A listener that stops at once what this process was asked to cancel."""

        def hear(event: Event) -> None:
            if event.name == "task.cancel_requested":
                loop.call_soon_threadsafe(self._cancel, event.fields["id"])

        return hear

    def _cancel(self, task_id: str) -> None:
        for one in self._running.values():
            if one.row.id == task_id:
                one.cancelled.ask()

    async def _keep(self) -> bool:
        """Renew what runs here and rescue what does not run anywhere; for ever."""
        await asyncio.sleep(min(self._settings.lease_seconds / 3, self._settings.sweep_seconds))
        tokens = [one.row.lease_token for one in self._running.values()]
        if tokens:
            seconds = self._settings.lease_seconds
            await self._runtime.database.write_unsynced(rows.renew, tokens, seconds)
        await self._rescue()
        return True

    async def _rescue(self) -> None:
        spared = {one.row.lease_token for one in self._running.values()}
        if await rescue_lost(self._runtime, self._liveness, spared):
            self._wake.set()


def _filled(free: Mapping[Lane, int], claimed: Sequence[TaskRow]) -> bool:
    """Whether a claim took as many as there were places for, of any lane."""
    taken = [task.lane for task in claimed]
    return any(places and taken.count(lane) == places for lane, places in free.items())
