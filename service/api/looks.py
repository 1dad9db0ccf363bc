"""The gauges that only a look at rows and disks can fill."""

from __future__ import annotations

import time

import anyio
import structlog

from service.models import now
from service.runtime import Runtime
from service.tasks import rows

log = structlog.get_logger(__name__)

#: Two looks are at least this far apart, in seconds, however often somebody scrapes.
LOOK_SECONDS = 1.0


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
                for name in ("uploads", "processed"):
                    free = await getattr(runtime, name).free_bytes()
                    metrics.storage_free.labels(name).set(free)
            except Exception:
                log.exception("metrics_stale")
