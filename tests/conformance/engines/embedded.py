"""The engine in the API's own process: who kills it kills both."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from service.tasks.engines.neighbours import WAKE, Neighbours, meeting_place
from tests.conformance.engines.base import Cluster
from tests.flow.evidence import database_of


class Embedded(Cluster):
    """One process."""

    slots = 2  # two places for the one thread
    ahead = 0

    def start_workers(self) -> None:
        if self.api.process.poll() is not None:
            self.api = self.process("serve")

    def stop_workers(self) -> Callable[[], int]:
        self.api.process.send_signal(signal.SIGTERM)
        return self.api.terminate

    def recover(self) -> None:
        self.api.kill()
        self.start_workers()

    def deliver(self, task_id: str, times: int) -> None:
        """The nudge is all that this engine is ever told."""
        asyncio.run(_nudge(database_of(self.folder), times))


async def _nudge(database_url: str, times: int) -> None:
    neighbours = Neighbours(meeting_place(database_url), lambda _: None)
    for _ in range(times):
        neighbours.tell(WAKE)
    neighbours.close()
