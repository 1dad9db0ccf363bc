"""From a stored original to stored variants: the pipeline in its place, then the storage.

Nothing is written to the database here: whoever calls records what was made.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from service.imaging import Probe, Recipe, Rendered, Step, peak_bytes, plan, steps
from service.storage import Blob
from service.tasks import Work
from service.tasks.work import off_the_clock
from service.variants import key_of


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
    #: In pixels: what was foretold, or what a `trim` has left.
    width: int
    height: int
    colour: str | None
    blurhash: str | None
    quality: int | None
    score: float | None


async def make(
    work: Work, source: Source, progress: Callable[[float], Awaitable[None]]
) -> list[Made]:
    """Run the pipeline in the attempt's place; each variant is stored while the next is made.

    At most two encoded variants are in memory at a time. `progress` is told after each one how
    much of the picture is done, from 0 to 1.
    """
    if not source.recipes:
        return []
    await work.uploads.stat(source.image_id)
    try:
        return await _rendered(work, source, progress)
    except Exception:
        for recipe in source.recipes:
            work.metrics.variants.labels(plan(source.probe, recipe).format, "failed").inc()
        raise


async def _rendered(
    work: Work, source: Source, progress: Callable[[float], Awaitable[None]]
) -> list[Made]:
    """Once there is memory for it; waiting for that is not the attempt's own doing."""
    path, marks = work.uploads.path(source.image_id), work.settings.watermarks
    wanted = await asyncio.to_thread(peak_bytes, path, source.probe, source.recipes, marks)
    async with off_the_clock():
        await work.memory.admit(wanted)
    with work.memory.held(wanted):
        running = work.place.stream(steps, path, source.probe, source.recipes, marks)
        return await _stored(work, source, running, progress)


async def _stored(
    work: Work,
    source: Source,
    running: AsyncGenerator[Step],
    progress: Callable[[float], Awaitable[None]],
) -> list[Made]:
    made: list[Made] = []
    async with aclosing(running) as rendered:
        async for step in rendered:
            for stage, fmt, seconds in step.stages:
                work.metrics.stage_seconds.labels(stage, fmt).observe(seconds)
            made.append(await _store(work, source, step.variant))
            await progress(len(made) / len(source.recipes))
    return made


async def _store(work: Work, source: Source, variant: Rendered) -> Made:
    recipe = next(one for one in source.recipes if one.name == variant.name)
    key = key_of(source.image_id, recipe, variant.format)
    with work.metrics.stage_seconds.labels("store", variant.format).time():
        blob = await work.processed.put(key, _once(variant.data))
    work.metrics.variants.labels(variant.format, "ready").inc()
    work.metrics.variant_bytes.labels(variant.format).inc(blob.size_bytes)
    return Made(
        name=variant.name,
        key=key,
        blob=blob,
        width=variant.width,
        height=variant.height,
        colour=variant.colour,
        blurhash=variant.blurhash,
        quality=variant.quality,
        score=variant.score,
    )


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
