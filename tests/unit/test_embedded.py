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
    monkeypatch.setattr(embedded, "GATHER_SECONDS", 1)
    engine = EmbeddedEngine(runtime)
    await engine.start()
    try:
        first = await claimed_at(runtime, await sent(runtime, engine))
        others = [await sent(runtime, engine) for _ in range(3)]
        times = {await claimed_at(runtime, task_id) for task_id in others}
    finally:
        await engine.stop()

    assert len(times) == 1, "all three in one claim"
    assert (times.pop() - first).total_seconds() >= 1
