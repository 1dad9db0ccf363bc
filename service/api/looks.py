"""The gauges that only a look at rows and disks can fill."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import anyio

from service.logs import logger
from service.models import now
from service.runtime import Runtime
from service.tasks import rows

log = logger(__name__)

#: Two looks are at least this far apart, in seconds, however often somebody scrapes.
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Tally:
    """Of each kind: how many tasks, by status; and whether more have finished than were counted."""

    counts: Mapping[str, dict[str, int]]
    capped: bool


class Looks:
    """When the metrics last looked at the rows; one an application."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._at = float("-inf")
        self._lock = anyio.Lock()

    async def refresh(self) -> None:
        """Bring the gauges of rows and disks up to date; what fails keeps its last value."""
        async with self._lock:
            if time.monotonic() - self._at < LOOK_SECONDS:
                return
            self._at = time.monotonic()
            metrics, runtime = self._runtime.metrics, self._runtime
            try:
                metrics.set_tasks(await runtime.database.read(rows.counts), now())
                metrics.set_paused(await runtime.database.read(rows.paused))
                for name in ("uploads", "processed"):
                    free = await getattr(runtime, name).free_bytes()
                    metrics.storage_free.labels(name).set(free)
            except Exception:
                log.exception("metrics_stale")

    async def tally(self) -> Tally:
        """The tasks of each kind by status."""
        read = self._runtime.database.read
        finished, capped = await read(rows.finished)
        unfinished = [
            (kind, status, count) for kind, status, _, count, _ in await read(rows.counts)
        ]
        counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for kind, status, count in (*unfinished, *finished):
            counts[kind][status] += count
        return Tally(counts, capped)
