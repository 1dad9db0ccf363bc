"""What `pixmill backfill` does: have the stored images' variants made by the presets of now.

The tasks are rows of low priority, only so many at a time; whoever works tasks on this database
makes them, while it goes on with everything else. Whoever stops here may begin again: what is done
is found done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress
from sqlalchemy import select
from sqlalchemy.orm import Session

from service import lacking
from service.config import Settings
from service.database import Database, open_database
from service.imaging import Recipe
from service.lacking import Lack
from service.models import Task
from service.presets import Presets, read_presets
from service.tasks import LIVE

#: Tasks of a backfill that are unfinished at once: what is uploaded meanwhile finds room.
AT_ONCE = 64
#: Pause between two looks at them, in seconds.
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Estimate:
    """What a backfill would do, as far as the rows tell."""

    images: int
    variants: int
    bytes_about: int
    #: None where nothing of the kind has been recorded yet.
    seconds_about: float | None


def backfill(settings: Settings, names: Sequence[str], *, dry_run: bool) -> bool:
    """Estimate, and unless it is a dry run do it; True if nothing failed.

    Raises: ValueError for a preset that is not there, or settings that cannot be used.
    """
    return asyncio.run(_backfill(settings, chosen(read_presets(settings.presets), names), dry_run))


def chosen(presets: Presets, names: Sequence[str]) -> list[Recipe]:
    """The presets of these names, or all. Raises: ValueError."""
    for name in names:
        if name not in presets:
            raise ValueError(f"There is no preset {name!r}; there is {', '.join(presets)}.")
    return [presets[name] for name in dict.fromkeys(names or presets)]


async def _backfill(settings: Settings, recipes: Sequence[Recipe], dry_run: bool) -> bool:
    console = Console()
    database = open_database(settings.database_url)
    try:
        found = await estimate(database, settings, recipes)
        console.print(_told(found), highlight=False)
        if dry_run or not found.images:
            return True
        failed = await _carry_out(database, recipes, found.images, console)
    finally:
        database.close()
    if failed:
        where = "GET /tasks?kind=image.refresh&status=failed"
        console.print(f"[red]{failed} images failed[/]; {where} says why.", highlight=False)
    return not failed


async def estimate(database: Database, settings: Settings, recipes: Sequence[Recipe]) -> Estimate:
    """Look at all images, and at what was recorded of work like this."""
    weights = await database.read(lacking.bytes_per_pixel)
    images = variants = 0
    weight = 0.0
    async for lacks in _pages(database, recipes):
        images += len(lacks)
        for planned in (one for lack in lacks for one in lack.planned):
            variants += 1
            weight += planned.width * planned.height * weights.get(planned.format, 0.0)
    each = await database.read(lacking.run_seconds)
    places = settings.pixel_threads * settings.workers
    return Estimate(images, variants, round(weight), images * each / places if each else None)


def _told(found: Estimate) -> str:
    if not found.images:
        return "Every image has these variants as their presets are now."
    told = f"{found.images:,} images, {found.variants:,} variants, about "
    told += f"{max(1, round(found.bytes_about / 1024)):,} KiB"
    if found.seconds_about is None:
        return f"{told}; no work like this has been recorded, so nobody knows how long."
    return f"{told}, about {max(1, round(found.seconds_about)):,} s of an idle service."


async def _carry_out(
    database: Database, recipes: Sequence[Recipe], images: int, console: Console
) -> int:
    """Enqueue and watch, with a bar; return how many tasks failed."""
    failed = 0
    unfinished: set[str] = set()
    with Progress(console=console) as bar:
        shown = bar.add_task("images", total=images)

        async def settle(most: int) -> None:
            nonlocal failed
            while len(unfinished) > most:
                ended = await database.read(_ended, unfinished)
                unfinished.difference_update(ended)
                failed += sum(status != "succeeded" for status in ended.values())
                bar.advance(shown, len(ended))
                if not ended:
                    await asyncio.sleep(POLL_SECONDS)

        async for lacks in _pages(database, recipes):
            for batch in _batches(lacks):
                await settle(AT_ONCE - len(batch))
                unfinished.update(await database.write(lacking.enqueue_all, batch))
        await settle(0)
    return failed


async def _pages(database: Database, recipes: Sequence[Recipe]) -> AsyncIterator[list[Lack]]:
    after: str | None = ""
    while after is not None:
        lacks, after = await database.read(lacking.page, recipes, after)
        yield lacks


def _batches(lacks: Sequence[Lack], size: int = AT_ONCE // 4) -> Iterable[Sequence[Lack]]:
    return (lacks[at : at + size] for at in range(0, len(lacks), size))


def _ended(session: Session, ids: Iterable[str]) -> dict[str, str]:
    """Which of these tasks have ended, and how; one that was pruned has succeeded."""
    wanted = list(ids)
    rows = session.execute(select(Task.id, Task.status).where(Task.id.in_(wanted)))
    found = {row.id: row.status for row in rows}
    statuses = {task_id: found.get(task_id, "succeeded") for task_id in wanted}
    return {task_id: status for task_id, status in statuses.items() if status not in LIVE}
