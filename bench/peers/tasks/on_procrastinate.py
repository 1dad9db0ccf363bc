"""Procrastinate on PostgreSQL, told of new tasks by its server, with ten places."""

import asyncio
import os

from marks import mark
from procrastinate import App, PsycopgConnector

app = App(connector=PsycopgConnector(conninfo=os.environ["BENCH_STORE"]))
loop = asyncio.new_event_loop()


@app.task
async def noop() -> None:
    mark()


async def _open() -> None:
    await app.open_async()
    await app.schema_manager.apply_schema_async()


async def _enqueue(count: int) -> None:
    for _ in range(count):
        await noop.defer_async()


def prepare() -> None:
    """In the producer, once: the tables."""
    loop.run_until_complete(_open())


def enqueue(count: int) -> None:
    loop.run_until_complete(_enqueue(count))
