"""From a stored original to stored variants: the pipeline in a thread, then the storage.

Nothing is written to the database here: whoever calls records what was made.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from service.imaging import Probe, Recipe, Rendered, plan, render
from service.storage import Blob
from service.tasks import Work


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


async def make(work: Work, source: Source) -> AsyncIterator[Made]:
    """Run the pipeline in a thread and store each variant as soon as all are encoded."""
    if not source.recipes:
        return
    await work.uploads.stat(source.image_id)
    path = work.uploads.path(source.image_id)
    recipes = {recipe.name: recipe for recipe in source.recipes}
    given_up = threading.Event()
    try:
        rendered = await work.threads.run(_render, path, source, work, given_up)
    finally:
        given_up.set()
    for done, variant in enumerate(rendered):
        key = key_of(source.image_id, recipes[variant.name], variant.format)
        with work.metrics.stage_seconds.labels("store", variant.format).time():
            blob = await work.processed.put(key, _once(variant.data))
        work.metrics.variants.labels(variant.format, "ready").inc()
        work.metrics.variant_bytes.labels(variant.format).inc(blob.size_bytes)
        yield Made(variant.name, key, blob, variant.colour)
        await work.progress((done + 1) / len(rendered))


def _render(path: Path, source: Source, work: Work, given_up: threading.Event) -> list[Rendered]:
    """The pixels, in a thread; failures are counted by the format that was asked for.

    Nothing can stop a thread: it looks between two variants whether anybody still waits.
    """

    def observe(stage: str, fmt: str, seconds: float) -> None:
        work.metrics.stage_seconds.labels(stage, fmt).observe(seconds)

    try:
        variants = render(path, source.probe, source.recipes, observe=observe)
        return list(takewhile(lambda _: not given_up.is_set(), variants))
    except Exception:
        for recipe in source.recipes:
            fmt = plan(source.probe, recipe).format
            work.metrics.variants.labels(fmt, "failed").inc()
        raise


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
