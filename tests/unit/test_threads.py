"""The threads for pixels: their own places, and a clock that does not run while one waits."""

from __future__ import annotations

import asyncio
import threading

import pytest

from service.tasks.engines.threads import PixelThreads
from service.tasks.work import TIME_LIMIT

pytestmark = pytest.mark.anyio


async def test_the_limit_holds_once_the_thread_is_there() -> None:
    threads = PixelThreads(1)
    go_on = threading.Event()

    async def attempt() -> None:
        async with asyncio.timeout(0.05) as limit:
            TIME_LIMIT.set(limit)
            await threads.run(go_on.wait, 30)

    with pytest.raises(TimeoutError):
        await attempt()
    taken = threads.limiter.borrowed_tokens
    go_on.set()
    while threads.limiter.borrowed_tokens:
        await asyncio.sleep(0)

    assert taken == 1  # a thread that nobody waits for keeps its place until it has ended
    threads.close()
