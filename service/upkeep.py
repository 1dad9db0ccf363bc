"""What must be looked after now and then, whoever works the tasks.

Parts of uploads whose process died are removed at once; stored files that no row knows (a crash
between rename and commit, a deleted image) when they are older than any request can be, and only
in folders that belong to this database. Finished tasks are removed when they are old enough,
with their timelines and with the messages they sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import images, minutes, notifications, request_keys
from service.holding import hold_table
from service.inserts import add_rows
from service.logs import logger
from service.models import Installation, new_id, now
from service.runtime import Runtime
from service.tasks import rows

log = logger(__name__)

#: Keys that are asked about in one statement.
BATCH = 500
#: Pause between two rounds over all files and old rows, in seconds.
ROUND_SECONDS = 600.0
#: Old rows that one transaction removes: few enough that no other write waits long for it.
PRUNE_BATCH = 200
#: Pause between two such transactions, in seconds, so that others come first.
PRUNE_PAUSE_SECONDS = 0.1
#: Age at which the keys of clients' requests are forgotten.
KEEP_KEYS = timedelta(days=1)


async def keep_house(runtime: Runtime) -> None:
    """Sweep and prune at once and then every `ROUND_SECONDS`, for ever."""
    while True:
        try:
            await sweep(runtime)
        except Exception:
            log.exception("sweep_failed")
        try:
            await prune(runtime)
        except Exception:
            log.exception("prune_failed")
        await asyncio.sleep(ROUND_SECONDS)


async def prune(runtime: Runtime) -> int:
    """Remove what has been finished for long enough, batch by batch; return how many tasks."""
    settings = runtime.settings
    counted = await minutes.keep(runtime)  # what goes is in the series
    removed = 0
    for status, seconds in (
        ("succeeded", settings.keep_tasks_seconds),
        ("cancelled", settings.keep_tasks_seconds),
        ("failed", settings.keep_failed_tasks_seconds),
    ):
        if not seconds:
            continue
        before = min(counted, now() - timedelta(seconds=seconds))
        count = await _in_batches(runtime, partial(_prune, status=status, before=before))
        runtime.metrics.pruned.labels(status).inc(count)
        removed += count
    if removed:
        log.info("tasks_pruned", count=removed)
    before = now() - KEEP_KEYS
    await _in_batches(runtime, partial(request_keys.prune, before=before, limit=PRUNE_BATCH))
    before = now() - timedelta(seconds=settings.keep_series_seconds)
    await _in_batches(runtime, partial(rows.forget_minutes, before=before, limit=PRUNE_BATCH))
    return removed


async def _in_batches(runtime: Runtime, batch: Callable[[Session], int]) -> int:
    """Call `batch` in transactions of its own until it finds less than PRUNE_BATCH."""
    total = 0
    while True:
        count = await runtime.database.write(batch)
        total += count
        if count < PRUNE_BATCH:
            return total
        await asyncio.sleep(PRUNE_PAUSE_SECONDS)


def _prune(session: Session, status: str, before: datetime) -> int:
    removed = rows.prune(session, status, before, PRUNE_BATCH)
    sent = [payload for kind, payload in removed if kind == notifications.send.name]
    notifications.forget(session, [payload["notification_id"] for payload in sent])
    return len(removed)


async def claim_folders(runtime: Runtime) -> None:
    """Make empty folders this database's, before the first upload: full ones become nobody's."""
    installation = await _installation(runtime)
    for storage in (runtime.uploads, runtime.processed):
        await storage.belongs_to(installation)


async def sweep(runtime: Runtime) -> int:
    """Remove what no upload and no row will ever claim; return how many files had no row."""
    installation = await _installation(runtime)
    removed = 0
    for store in ("uploads", "processed"):
        storage = getattr(runtime, store)
        await storage.sweep()
        if await storage.belongs_to(installation):
            removed += await _orphans(runtime, store)
        else:
            # A new or another database beside full folders: no row, and yet no orphan.
            log.warning("folder_not_swept", store=store, installation=installation)
    return removed


async def _installation(runtime: Runtime) -> str:
    """The id of the installation this database belongs to, made at the first call."""
    found: str | None = await runtime.database.read(_found)
    if found is None:
        found = await runtime.database.write(_found_or_made)
    return found


def _found(session: Session) -> str | None:
    return session.scalar(select(Installation.id))


def _found_or_made(session: Session) -> str:
    hold_table(session, Installation)
    found = _found(session)
    if found is None:
        found = new_id()
        add_rows(session, Installation, {"id": found})
    return found


async def _orphans(runtime: Runtime, store: str) -> int:
    """Compare one store's files with the rows, batch by batch."""
    removed = 0
    batch: list[str] = []
    storage = getattr(runtime, store)
    async for key in storage.keys(runtime.settings.orphan_seconds):
        batch.append(key)
        if len(batch) == BATCH:
            removed += await _remove_unknown(runtime, store, batch)
            batch.clear()
    return removed + await _remove_unknown(runtime, store, batch)


async def _remove_unknown(runtime: Runtime, store: str, keys: list[str]) -> int:
    if not keys:
        return 0
    known = await runtime.database.read(images.known_keys, store, keys)
    orphans = [key for key in keys if key not in known]
    for key in orphans:
        await getattr(runtime, store).delete(key)
    if orphans:
        runtime.metrics.orphans.inc(len(orphans))
        log.info("orphans_removed", store=store, count=len(orphans))
    return len(orphans)
