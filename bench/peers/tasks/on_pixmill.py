"""Pixmill's tasks in one process, as the service has them: whoever enqueues, and the engine.

Reads lines like `enqueue 100`, and answers each with the times before the first call and after
the last. `PIXMILL_…` says where everything is.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

import uvloop
from marks import mark
from sqlalchemy.orm import Session

from service.config import Settings
from service.logs import configure_logs
from service.migrations import migrate
from service.runtime import Runtime, open_runtime
from service.tasks import Work, enqueue, rows, task
from service.tasks.engines import EmbeddedEngine
from service.tasks.registry import Lane

#: Tasks a transaction where many are made beforehand.
BATCH = 1000
LEASE_SECONDS = 60


@task("bench.noop")
async def noop(work: Work) -> None:  # noqa: ARG001
    mark()


class Commands:
    """What the lines can ask for."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._engine = EmbeddedEngine(runtime)

    async def start(self, _: int) -> None:
        self._engine = EmbeddedEngine(self._runtime)
        await self._engine.start()

    async def stop(self, _: int) -> None:
        await self._engine.stop()

    async def enqueue(self, count: int) -> None:
        for _ in range(count):
            task_id = await self._runtime.database.write(enqueue, noop, {})
            self._engine.submit([task_id])

    async def fill(self, count: int) -> None:
        """Tasks in few transactions, which nobody measures."""
        for done in range(0, count, BATCH):
            await self._runtime.database.write(_enqueue_many, min(BATCH, count - done))

    async def claim(self, count: int) -> None:
        """Claims of one task, each in a transaction of its own."""
        for _ in range(count):
            claimed = await self._runtime.database.write(
                rows.claim, {Lane.LIGHT: 1}, worker="bench", lease_seconds=LEASE_SECONDS
            )
            assert len(claimed) == 1


def _enqueue_many(session: Session, count: int) -> None:
    for _ in range(count):
        enqueue(session, noop, {})


async def _serve(settings: Settings) -> None:
    async with open_runtime(settings, [noop]) as runtime:
        commands = Commands(runtime)
        while line := await asyncio.to_thread(sys.stdin.readline):
            name, count = line.split()
            command: Callable[[int], Awaitable[None]] = getattr(commands, name)
            start = time.monotonic()
            await command(int(count))
            print(start, time.monotonic(), flush=True)


def main() -> None:
    settings = Settings()
    configure_logs(settings)
    migrate(settings.database_url)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))


if __name__ == "__main__":
    main()
