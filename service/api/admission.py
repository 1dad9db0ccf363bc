"""Whether there is room: for another task, for another file on the disk, for another body.

Queue and disk are looked up at most once a second and reckoned in between, so that a flood of
requests costs the database and the disk nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from service.errors import DiskFull, QueueFull, TooBusy
from service.runtime import Runtime
from service.tasks import rows

#: A look is trusted for this long, in seconds; one that says "full" for less.
FRESH_SECONDS = 1.0
FRESH_WHEN_FULL_SECONDS = 0.1


@dataclass
class _Look:
    """What was seen, when, and how many were let in since."""

    value: int = 0
    at: float = float("-inf")
    since: int = 0

    def is_older(self, seconds: float) -> bool:
        return time.monotonic() - self.at > seconds

    def renew(self, value: int) -> None:
        self.value, self.at, self.since = value, time.monotonic(), 0


class Admission:
    """The doorkeeper of one application."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._bodies = 0
        self._depth = _Look()
        self._scheduled = _Look()
        self._free = _Look()

    @contextmanager
    def body(self) -> Iterator[None]:
        """Read one more body: each holds memory. Raises: TooBusy."""
        limit = self._runtime.settings.max_uploads
        if self._bodies >= limit:
            raise TooBusy(
                "Too many uploads are under way; try again soon.",
                limit=limit,
                actual=self._bodies + 1,
                retry_after_seconds=1,
            )
        self._bodies += 1
        try:
            yield
        finally:
            self._bodies -= 1

    async def check_queue(self, tasks: int = 1) -> None:
        """Let more tasks in. Raises: QueueFull."""
        limit = self._runtime.settings.max_queued_tasks
        await self._check_tasks(self._depth, rows.depth, limit, tasks)

    async def check_schedule(self) -> None:
        """Let one more task in that is to wait for its time. Raises: QueueFull."""
        limit = self._runtime.settings.max_scheduled_tasks
        await self._check_tasks(self._scheduled, rows.scheduled, limit, 1)

    async def _check_tasks(
        self, look: _Look, count: Callable[[Session, int], int], limit: int, tasks: int
    ) -> None:
        is_full = look.value + look.since >= limit
        if look.is_older(FRESH_WHEN_FULL_SECONDS if is_full else FRESH_SECONDS):
            look.renew(await self._runtime.database.read(count, limit))
        waiting = look.value + look.since
        if waiting >= limit:
            raise QueueFull(
                "Too many tasks are waiting; try again soon.",
                limit=limit,
                actual=waiting,
                retry_after_seconds=2,
            )
        look.since += tasks

    async def check_disk(self) -> None:
        """Let one more file in. Raises: DiskFull."""
        free = self._free
        largest = self._runtime.settings.max_upload_bytes
        needed = self._runtime.settings.min_free_bytes
        # What was let in since the last look may each be as large as a file can be.
        if free.is_older(FRESH_SECONDS) or free.value - free.since * largest < needed:
            await self.look_at_disk()
        free.since += 1

    async def look_at_disk(self) -> None:
        """See how much room there is now. Raises: DiskFull."""
        runtime = self._runtime
        needed = runtime.settings.min_free_bytes
        free = min(await runtime.uploads.free_bytes(), await runtime.processed.free_bytes())
        self._free.renew(free)
        if free < needed:
            raise DiskFull(
                "The disk is nearly full.", limit=needed, actual=free, retry_after_seconds=30
            )
