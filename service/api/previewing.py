"""A recipe tried on a stored image, while somebody waits, and nothing kept.

It runs in a child process, whatever the engine: in a process that only answers requests there are
no threads for pixels, and a child can be killed when it takes too long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from service import images, presets
from service.errors import (
    BadPipeline,
    BrokenPicture,
    ChildNotStarted,
    OutOfMemory,
    TooBusy,
    WorkerCrashed,
)
from service.imaging import Probe, Recipe, Rendered, peak_bytes, plan, steps
from service.imaging.words import Resize
from service.recording import probe_of
from service.runtime import Runtime
from service.tasks.engines.children import Children
from service.tasks.work import only

#: Longest wait for a preview, in seconds.
PREVIEW_SECONDS = 10.0


class Previews:
    """The previews of one application, a bounded number at once."""

    def __init__(self, runtime: Runtime, seconds: float = PREVIEW_SECONDS) -> None:
        self._runtime = runtime
        self._seconds = seconds
        self._most = runtime.settings.max_previews
        self._under_way = 0
        places = anyio.CapacityLimiter(self._most)
        self._children = Children(places, runtime.settings.child_memory_bytes)

    @property
    def under_way(self) -> int:
        """How many are being made."""
        return self._under_way

    async def made(self, image_id: str, recipe: Recipe, side_px: int) -> Rendered:
        """What the recipe makes of the image, scaled down to at most `side_px` a side.

        Raises: NotFound; BadPipeline, BrokenPicture; TooBusy.
        """
        with self._room():
            image = await self._runtime.database.read(images.found, image_id)
            presets.check_marks([recipe], self._runtime.settings.watermarks, "recipe")
            plan(probe_of(image), recipe)  # said of the recipe, not of what is made of it here
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._run(image_id, probe_of(image), _small(recipe, side_px))
            except (TimeoutError, ChildNotStarted):
                raise TooBusy("The preview takes too long now.", retry_after_seconds=2) from None
            except OutOfMemory as error:
                raise BadPipeline(error.detail, field="recipe") from None
            except WorkerCrashed as error:
                raise BrokenPicture(error.detail) from None

    async def close(self) -> None:
        """Kill the children."""
        await self._children.close()

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Take a place at once or not at all. Raises: TooBusy."""
        if self._under_way >= self._most:
            raise TooBusy(
                "Too many previews are under way; try again soon.",
                limit=self._most,
                actual=self._under_way + 1,
                retry_after_seconds=1,
            )
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def _run(self, image_id: str, probe: Probe, recipe: Recipe) -> Rendered:
        uploads, memory = self._runtime.uploads, self._runtime.memory
        await uploads.stat(image_id)
        path, marks = uploads.path(image_id), self._runtime.settings.watermarks
        wanted = await asyncio.to_thread(peak_bytes, path, probe, [recipe], marks)
        await memory.admit(wanted)
        with memory.held(wanted):
            step = await only(self._children.stream(steps, path, probe, [recipe], marks))
        return step.variant


def _small(recipe: Recipe, side_px: int) -> Recipe:
    """The recipe, and then scaled down."""
    last = Resize(width=side_px, height=side_px)
    return recipe.model_copy(update={"operations": (*recipe.operations, last)})
