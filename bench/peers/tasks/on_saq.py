"""SAQ on Redis, with its own ten places."""

import asyncio
import os

from marks import mark
from saq import Queue

queue = Queue.from_url(os.environ["BENCH_STORE"])
loop = asyncio.new_event_loop()


async def noop(_context: object) -> None:
    mark()


settings = {"queue": queue, "functions": [noop]}


async def _enqueue(count: int) -> None:
    for _ in range(count):
        await queue.enqueue("noop", ttl=-1)


def enqueue(count: int) -> None:
    loop.run_until_complete(_enqueue(count))
