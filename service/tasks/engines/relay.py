"""The engine that hands due tasks to a broker, for workers on any number of machines.

The rows stay the truth and the broker carries ids only, so it may lose them, or bring them twice.
Two loops. `_relay` hands over what is due, as far as there is room; it is woken by `submit`, and by
itself looks soon after it found something and then less and less often, down to once in
`PIXMILL_POLL_SECONDS`. `_keep` rescues what dead workers left. The broker is spoken to in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, TypeVar, TypeVarTuple, Unpack

from sqlalchemy.orm import Session

from service.logs import logger
from service.runtime import Runtime
from service.tasks import rows
from service.tasks.engines.liveness import open_liveness
from service.tasks.engines.rescuing import rescue_lost
from service.tasks.registry import Lane
from service.tasks.rows import Dispatched

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = logger(__name__)

#: Pauses between two looks, in seconds: where the workers had nothing left, and where they had.
HUNGRY_SECONDS = 0.02
BUSY_SECONDS = 0.1
#: Longest pause between two looks for dead workers, in seconds: a child that is killed costs the
#: task that, and the time another child takes to start.
RESCUE_SECONDS = 0.25


class Broker(Protocol):
    """The port. Both calls block, for a bounded time."""

    def waiting(self) -> dict[Lane, int]:
        """How many messages of each lane wait to be delivered. Raises: BrokerFailed."""
        ...

    def publish(self, tasks: Sequence[Dispatched]) -> None:
        """Send a message for each task. Raises: BrokerFailed, and then some may have been sent."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class BrokerFailed(Exception):
    """The broker did not take a message, or did not answer."""


class RelayEngine:
    """Implements Engine."""

    def __init__(self, runtime: Runtime, broker: Broker) -> None:
        self._runtime = runtime
        self._broker = broker
        self._liveness = open_liveness(runtime.settings.database_url)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="broker")
        self._poll_seconds = runtime.settings.poll_seconds
        self._keep_seconds = min(RESCUE_SECONDS, runtime.settings.sweep_seconds)
        self._pause = HUNGRY_SECONDS
        self._wake = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        #: What is wrong with the broker; empty when nothing is.
        self.outage = ""

    async def start(self) -> None:
        """Begin both loops. A broker that is out is no obstacle."""
        self._loops = [
            asyncio.create_task(self._repeat(self._relay), name="engine-relay"),
            asyncio.create_task(self._repeat(self._keep), name="engine-keep"),
        ]

    def submit(self, ids: Sequence[str]) -> None:  # noqa: ARG002 - the rows say it better
        """Look for due tasks now."""
        self._wake.set()

    async def drain(self, seconds: float) -> None:  # noqa: ARG002 - nothing runs here
        """Hand nothing over any more."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)

    async def stop(self) -> None:
        """End. What was handed over and what runs is the workers'."""
        await self.drain(0)
        await self._in_thread(self._broker.close)
        self._thread.shutdown()
        self._liveness.close()

    async def worn_out(self) -> None:
        """It never is: nothing runs here."""
        await asyncio.Event().wait()

    @property
    def health(self) -> str:
        """`ok`, or what is wrong; a broker that is out is not."""
        running = self._loops and not any(loop.done() for loop in self._loops)
        return "ok" if running else "stopped"

    async def _repeat(self, step: Callable[[], Awaitable[None]]) -> None:
        """For ever; a fault of the broker, of the database or of the disk is outlived."""
        while True:
            try:
                await step()
            except BrokerFailed as error:
                self._runtime.metrics.broker_failures.inc()
                self._note_outage(str(error))
                await asyncio.sleep(self._poll_seconds)
            except Exception:
                self._runtime.metrics.engine_errors.inc()
                log.exception("engine_step_failed")
                await asyncio.sleep(self._poll_seconds)

    async def _keep(self) -> None:
        await asyncio.sleep(self._keep_seconds)
        if await rescue_lost(self._runtime, self._liveness):
            self._wake.set()

    async def _relay(self) -> None:
        self._wake.clear()
        to_next = await self._hand_over()
        await asyncio.sleep(HUNGRY_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(min(self._pause, to_next or self._pause)):
                await self._wake.wait()

    async def _hand_over(self) -> float | None:
        """Publish what is due, as far as there is room; return how long until more is due."""
        waiting = await self._in_thread(self._broker.waiting)
        self._note_outage("")
        tasks, to_next = await self._runtime.database.write(_dispatch, waiting)
        self._pause = self._next_pause(len(tasks), sum(waiting.values()))
        try:
            await self._in_thread(self._broker.publish, tasks)
        except BrokerFailed:
            await self._runtime.database.write(rows.take_back, [task.id for task in tasks])
            raise
        return to_next

    def _next_pause(self, tasks: int, waiting: int) -> float:
        """Look again soon where workers had nothing to take, later where they had, and ever later
        where nothing is handed over."""
        if not tasks:
            return min(2 * self._pause, self._poll_seconds)
        return min(BUSY_SECONDS if waiting else HUNGRY_SECONDS, self._poll_seconds)

    async def _in_thread(self, call: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    def _note_outage(self, outage: str) -> None:
        if outage and not self.outage:
            log.error("broker_lost", error=outage)
        if self.outage and not outage:
            log.info("broker_regained")
        self.outage = outage


def _dispatch(session: Session, waiting: dict[Lane, int]) -> tuple[list[Dispatched], float | None]:
    tasks = rows.dispatch(session, waiting)
    return tasks, None if tasks else rows.seconds_to_next(session)
