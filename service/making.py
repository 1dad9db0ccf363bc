"""From a stored original to stored variants: the pipeline in a thread, then the storage.

Nothing is written to the database here: whoever calls records what was made.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from service.imaging import Probe, Recipe, Rendered, plan, render
from service.storage import Blob
from service.tasks import Work

#: Longest wait of a thread for the storage, in seconds: past it the attempt has failed.
STORE_SECONDS = 120


@dataclass(frozen=True)
class Source:
    """What a pipeline needs of an image: its stored original, its header, its recipes."""

    image_id: str
    item_id: str | None
    probe: Probe
    recipes: tuple[Recipe, ...]


@dataclass(frozen=True)
class Made:
    """A variant that is in the storage."""

    name: str
    key: str
    blob: Blob
    colour: str | None


def key_of(image_id: str, recipe: Recipe, fmt: str) -> str:
    """Where a variant is stored: the same at every attempt, another for another recipe."""
    return f"{image_id}/{recipe.name}.{recipe.digest}.{fmt}"


class GivenUp(Exception):
    """Nobody waits for this work any more: it was cancelled, or its time is over."""


async def make(
    work: Work, source: Source, progress: Callable[[float], Awaitable[None]]
) -> list[Made]:
    """Run the pipeline in a thread; each variant is stored while the next one is made.

    `progress` is told after each one how much of the picture is done, from 0 to 1.
    """
    if not source.recipes:
        return []
    await work.uploads.stat(source.image_id)
    given_up = threading.Event()
    loop = asyncio.get_running_loop()
    stored = itertools.count(1)

    async def store(variant: Rendered) -> Made:
        made = await _store(work, source, variant)
        await progress(next(stored) / len(source.recipes))
        return made

    def hand_over(variant: Rendered) -> Future[Made]:
        return asyncio.run_coroutine_threadsafe(store(variant), loop)

    try:
        return await work.threads.run(_render, work, source, hand_over, given_up)
    finally:
        given_up.set()


def _render(
    work: Work,
    source: Source,
    hand_over: Callable[[Rendered], Future[Made]],
    given_up: threading.Event,
) -> list[Made]:
    """The pixels, in a thread.

    Nothing can stop a thread: it looks between two steps whether anybody still waits.
    """

    def observe(stage: str, fmt: str, seconds: float) -> None:
        work.metrics.stage_seconds.labels(stage, fmt).observe(seconds)

    def checkpoint() -> None:
        if given_up.is_set():
            raise GivenUp

    path = work.uploads.path(source.image_id)
    variants = render(path, source.probe, source.recipes, observe=observe, checkpoint=checkpoint)
    try:
        return list(_stored(variants, hand_over))
    except GivenUp:
        raise
    except Exception:
        for recipe in source.recipes:
            work.metrics.variants.labels(plan(source.probe, recipe).format, "failed").inc()
        raise


def _stored(
    variants: Iterator[Rendered], hand_over: Callable[[Rendered], Future[Made]]
) -> Iterator[Made]:
    """Each variant once it is stored: at most two encoded ones are in memory at a time."""
    under_way: Future[Made] | None = None
    for variant in variants:
        if under_way:
            yield under_way.result(STORE_SECONDS)
        under_way = hand_over(variant)
    if under_way:
        yield under_way.result(STORE_SECONDS)


async def _store(work: Work, source: Source, variant: Rendered) -> Made:
    recipe = next(one for one in source.recipes if one.name == variant.name)
    key = key_of(source.image_id, recipe, variant.format)
    with work.metrics.stage_seconds.labels("store", variant.format).time():
        blob = await work.processed.put(key, _once(variant.data))
    work.metrics.variants.labels(variant.format, "ready").inc()
    work.metrics.variant_bytes.labels(variant.format).inc(blob.size_bytes)
    return Made(variant.name, key, blob, variant.colour)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
