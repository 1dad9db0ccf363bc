"""The gauges that only a look at rows and disks can fill."""

from __future__ import annotations

import time
from collections import defaultdict

import anyio
import structlog
from sqlalchemy.orm import Session

from service.models import now
from service.runtime import Runtime
from service.tasks import rows

log = structlog.get_logger(__name__)

#: Two looks are at least this far apart, in seconds, however often somebody scrapes.
LOOK_SECONDS = 1.0


#: Of each kind: how many tasks, by status.
Tally = dict[str, dict[str, int]]


class Looks:
    """When the metrics last looked at the rows; one an application."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._at = float("-inf")
        self._lock = anyio.Lock()
        self._tally: Tally = {}
        self._tallied_at = float("-inf")

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
        """The tasks of each kind by status, those of paused kinds as well.

        Finished ones can be many: they are counted at most once a second, whoever asks.
        """
        async with self._lock:
            if time.monotonic() - self._tallied_at >= LOOK_SECONDS:
                self._tally = await self._runtime.database.read(_tally)
                self._tallied_at = time.monotonic()
            return self._tally


def _tally(session: Session) -> Tally:
    tally: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for kind, status, _, count, _ in rows.counts(session):
        tally[kind][status] += count
    for kind, status, count in rows.finished(session):
        tally[kind][status] += count
    return {kind: dict(counts) for kind, counts in tally.items()}
