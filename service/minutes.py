"""What finished, minute by minute: kept for the charts before the tasks are pruned."""

from __future__ import annotations

import asyncio
from datetime import datetime

from service.logs import logger
from service.runtime import Runtime
from service.tasks import rows

log = logger(__name__)

#: Pause between two looks for minutes that are over, in seconds.
ROUND_SECONDS = 60.0


async def keep_minutes(runtime: Runtime) -> None:
    """Keep what is over at once and then every `ROUND_SECONDS`, for ever."""
    while True:
        try:
            await keep(runtime)
        except Exception:
            log.exception("minutes_not_kept")
        await asyncio.sleep(ROUND_SECONDS)


async def keep(runtime: Runtime) -> datetime:
    """Keep all minutes that are over; return up to when that is.

    Counted on a snapshot, so that a long history holds up no writer.
    """
    while True:
        over, counted = await runtime.database.read(rows.unkept)
        if not counted:
            return rows.begin_of(over)
        await runtime.database.write(rows.keep, counted)
