"""Requests that wait for a task's end instead of asking again and again.

Source: RFC 7240, `Prefer: wait=seconds`. News of an end comes from the events of this process,
and from its neighbours on this machine. What ends on another machine nobody tells: so a wait is
cut into slices, and the caller looks at the row between them.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict, deque

from fastapi import Request

from service.events import Event

#: Longest wait without a look at the row, in seconds.
SLICE_SECONDS = 1.0
#: Nobody waits longer than this, in seconds: proxies give up on silent requests.
MAX_WAIT_SECONDS = 30.0
#: Ends that are remembered for those who ask a moment too late.
RECENT = 256
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*(\d{1,6})")


def wanted_wait(request: Request) -> float:
    """How long the client is ready to wait for a final answer, in seconds; 0 if not at all."""
    found = _WAIT.search(request.headers.get("prefer", ""))
    return min(float(found[1]), MAX_WAIT_SECONDS) if found else 0.0


class Waiting:
    """Who waits for which task; one an application."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiters: dict[str, set[asyncio.Event]] = defaultdict(set)
        #: Ends that came between a look at the row and the wait for them.
        self._recent: deque[str] = deque(maxlen=RECENT)

    def on_event(self, event: Event) -> None:
        """Wake those who wait for the task that ended; from any thread."""
        if event.name in ("task.ended", "task.ended_elsewhere"):
            self._loop.call_soon_threadsafe(self._wake, event.fields["id"])

    async def for_task(self, task_id: str, seconds: float) -> bool:
        """Wait until an attempt at the task has ended, for so many seconds or a slice.

        Returns whether one has.
        """
        if task_id in self._recent:
            return True
        ended = asyncio.Event()
        self._waiters[task_id].add(ended)
        try:
            async with asyncio.timeout(min(seconds, SLICE_SECONDS)):
                return await ended.wait()
        except TimeoutError:
            return False
        finally:
            self._waiters[task_id].discard(ended)
            if not self._waiters[task_id]:
                del self._waiters[task_id]

    def _wake(self, task_id: str) -> None:
        self._recent.append(task_id)
        for ended in self._waiters.get(task_id, ()):
            ended.set()
