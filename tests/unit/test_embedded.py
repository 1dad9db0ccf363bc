"""The embedded engine's claims: the first at once, those that come one by one together."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from service import notifications
from service.runtime import Runtime
from service.tasks import queries
from service.tasks.engines import EmbeddedEngine, embedded
from tests.servers import PATIENCE

pytestmark = pytest.mark.anyio


async def sent(runtime: Runtime, engine: EmbeddedEngine) -> str:
    document = await runtime.database.write(
        notifications.queue, channel="file", recipient="ada", subject="Hello", body="There."
    )
    engine.submit([document.task_id])
    return document.task_id


async def claimed_at(runtime: Runtime, task_id: str) -> datetime:
    """When the task was claimed, once it has been."""
    async with asyncio.timeout(PATIENCE):
        while True:
            task = await runtime.database.read(queries.get, task_id)
            if times := [event.at for event in task.events if event.kind == "claimed"]:
                return times[0]
            await asyncio.sleep(0.005)


async def test_what_is_enqueued_one_by_one_is_claimed_together(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathers, go_on, sleep = asyncio.Event(), asyncio.Event(), asyncio.sleep

    async def sleep_until_told(seconds: float) -> None:
        if seconds != embedded.GATHER_SECONDS:
            await sleep(seconds)
            return
        gathers.set()
        await go_on.wait()

    monkeypatch.setattr(embedded, "GATHER_SECONDS", 1)  # as nobody else sleeps here
    monkeypatch.setattr(asyncio, "sleep", sleep_until_told)
    engine = EmbeddedEngine(runtime)
    await engine.start()
    try:
        await claimed_at(runtime, await sent(runtime, engine))
        async with asyncio.timeout(PATIENCE):
            await gathers.wait()
        others = [await sent(runtime, engine) for _ in range(3)]
        go_on.set()
        times = {await claimed_at(runtime, task_id) for task_id in others}
    finally:
        go_on.set()
        await engine.stop()

    assert len(times) == 1, "all three in one claim"
