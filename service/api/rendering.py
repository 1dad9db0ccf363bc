"""Renders that are asked for and not there yet: made once, for all who wait for them.

Only as many are in the hands of the engine as half the threads of this process, so that what is
uploaded always finds a place; the others wait here, a bounded number of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from service import renders
from service.api.waiting import MAX_WAIT_SECONDS, SLICE_SECONDS, Waiting
from service.errors import BadPipeline, BrokenPicture, NotFound, ServiceError, TooBusy
from service.imaging import Recipe
from service.logs import current_request_id
from service.models import Render
from service.runtime import Runtime

#: Tells the engine of tasks.
Submit = Callable[[Sequence[str]], None]
#: Failures whose reason is the client's; all else may pass.
TOLD: Mapping[str, type[ServiceError]] = MappingProxyType(
    {
        "broken_image": BrokenPicture,
        "bad_pipeline": BadPipeline,
        "not_found": NotFound,
        "subject_gone": NotFound,
        "cancelled": NotFound,
    }
)
#: Pause between two looks at a task of which an attempt has ended.
RETRY_PAUSE_SECONDS = 0.1


class Rendering:
    """Who waits for which render; one an application."""

    def __init__(self, runtime: Runtime, waiting: Waiting) -> None:
        self._runtime = runtime
        self._waiting = waiting
        self._places = asyncio.Semaphore(max(1, runtime.settings.pixel_threads // 2))
        self._under_way: dict[tuple[str, str], asyncio.Task[Render]] = {}

    async def made(self, image_id: str, recipe: Recipe, submit: Submit) -> Render:
        """The render, once it is made; whoever goes away leaves it to the others.

        `submit` is told of its task.

        Raises: NotFound, BadPipeline, BrokenPicture, TooManyRenders; TooBusy when too many are
        under way, or it took too long.
        """
        which = image_id, recipe.digest
        making = self._under_way.get(which)
        if making is None:
            self._check_room()
            making = asyncio.create_task(self._make(image_id, recipe, submit), name="render")
            self._under_way[which] = making
            making.add_done_callback(lambda done: self._end(which, done))
        return await asyncio.shield(making)

    async def close(self) -> None:
        """Let go of all that is waited for; the rows know what there is to do."""
        for making in self._under_way.values():
            making.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _check_room(self) -> None:
        limit = self._runtime.settings.max_renders
        if len(self._under_way) >= limit:
            raise TooBusy(
                "Too many renders are under way; try again soon.",
                limit=limit,
                actual=len(self._under_way) + 1,
                retry_after_seconds=1,
            )

    def _end(self, which: tuple[str, str], done: asyncio.Task[Render]) -> None:
        del self._under_way[which]
        if not done.cancelled():
            done.exception()  # nobody may be left to take it

    async def _make(self, image_id: str, recipe: Recipe, submit: Submit) -> Render:
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS), self._places:
                return await self._ordered(image_id, recipe, submit)
        except TimeoutError:
            raise TooBusy("It takes long; try again soon.", retry_after_seconds=5) from None

    async def _ordered(self, image_id: str, recipe: Recipe, submit: Submit) -> Render:
        """Order the task, and look at its row whenever there may be news."""
        database, most = self._runtime.database, self._runtime.settings.max_renders_per_image
        wanted = await database.write(renders.want, image_id, recipe, most, current_request_id())
        if isinstance(wanted, Render):
            return wanted
        submit([wanted])
        has_ended = False
        while not (row := await database.read(renders.found, image_id, recipe.digest)):
            if failed := await database.read(renders.failure, wanted):
                raise _told(wanted, *failed)
            if has_ended:  # and another attempt follows
                await asyncio.sleep(RETRY_PAUSE_SECONDS)
            has_ended = await self._waiting.for_task(wanted, SLICE_SECONDS)
        return row


def _told(task_id: str, code: str, message: str) -> ServiceError:
    """What whoever waits is told of a task's failure."""
    if told := TOLD.get(code):
        return told(message)
    return TooBusy(f"It could not be made; the task {task_id} says why.", retry_after_seconds=5)
