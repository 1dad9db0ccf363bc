"""What the suite asks of an engine: real processes that can be started, stopped and killed."""

from __future__ import annotations

import asyncio
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import httpx
from sqlalchemy.orm import Session

from service.database import open_database
from service.models import new_id, now
from service.tasks import Kind, Priority, enqueue
from tests.conformance.kinds import waits
from tests.flow.evidence import database_of, query
from tests.servers import Process, finished, until

T = TypeVar("T")

MODULE = "tests.conformance"
RENDER_KEY = "conformance" * 3
#: Statuses in which a task stays.
FINAL = ("succeeded", "failed", "cancelled")
#: What all processes of a cluster are told; workers have so long to drain, in seconds.
DRAIN_SECONDS = 2
SETTINGS = {
    "PIXMILL_THREADS": "1",
    "PIXMILL_POLL_SECONDS": "0.1",
    "PIXMILL_DRAIN_SECONDS": str(DRAIN_SECONDS),
    "PIXMILL_LOG_LEVEL": "warning",
    "PIXMILL_RENDER_KEY": RENDER_KEY,
}


@dataclass
class Cluster(ABC):
    """An API and its workers on one folder and one database."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    #: Tasks that run at once, and those whose order may be decided before one of them ends.
    slots: ClassVar[int]
    ahead: ClassVar[int]

    def __post_init__(self) -> None:
        self.api = self.process("serve")
        self.start_workers()

    @abstractmethod
    def start_workers(self) -> None:
        """Start whatever works tasks, if it does not run."""

    @abstractmethod
    def stop_workers(self) -> Callable[[], int]:
        """Ask whatever works tasks to stop; what comes back waits for the exit code."""

    @abstractmethod
    def recover(self) -> None:
        """After a worker was killed, do what a supervisor does."""

    @abstractmethod
    def deliver(self, task_id: str, times: int) -> None:
        """Tell the workers again and again of a task."""

    def close(self) -> None:
        """Kill all that runs."""
        self.api.kill()

    @property
    def client(self) -> httpx.Client:
        return self.api.client

    def process(self, command: str, **changes: str) -> Process:
        return Process(self.folder, SETTINGS | self.settings | changes, MODULE, command)

    def kill_runner_of(self, task_id: str) -> None:
        """End the process that runs a task as a loss of power would, and have it replaced."""
        (worker,) = query(self.folder, f"SELECT worker FROM tasks WHERE id = '{task_id}'")
        os.kill(int(worker.rsplit("-", 2)[1]), signal.SIGKILL)
        self.recover()

    def enqueue(
        self,
        kind: Kind,
        *payloads: dict[str, Any],
        priorities: Sequence[str] = (),
        at: datetime | None = None,
    ) -> list[str]:
        """Write tasks of a kind, due one after the other, and nothing else: nobody is told."""
        labels = priorities or ["normal"] * len(payloads)
        first = at or now() - timedelta(seconds=1)

        def work(session: Session) -> list[str]:
            return [
                enqueue(
                    session,
                    kind,
                    payload,
                    priority=Priority.named(label),
                    run_at=first + timedelta(milliseconds=number),
                )
                for number, (payload, label) in enumerate(zip(payloads, labels, strict=True))
            ]

        return self.write(work)

    def write(self, work: Callable[[Session], T]) -> T:
        return asyncio.run(_write(database_of(self.folder), work))

    def hold(self) -> Path:
        """Occupy all slots until the file that comes back is made."""
        file = self.folder / f"go-{new_id()}"
        holding = [{"file": file.name}] * self.slots
        for task_id in self.enqueue(waits, *holding, priorities=["high"] * self.slots):
            self.wait_for(task_id, "running")
        return file

    def task(self, task_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/tasks/{task_id}").raise_for_status().json()
        return found

    def wait_for(self, task_id: str, *statuses: str) -> dict[str, Any]:
        """The task's document, once it has one of these statuses, or has ended."""
        return finished(self.client, f"/tasks/{task_id}", statuses or FINAL)

    def claims(self, ids: Sequence[str]) -> list[str]:
        """These tasks in the order in which they were claimed, once all were."""
        wanted = set(ids)
        statement = "SELECT task_id FROM task_events WHERE kind = 'claimed' ORDER BY id"

        def look() -> list[str] | None:
            claimed = [one for one in query(self.folder, statement) if one in wanted]
            return claimed if set(claimed) == wanted else None

        return until(look, "the claim of all tasks") or []


async def _write(url: str, work: Callable[[Session], T]) -> T:
    database = open_database(url)
    try:
        return await database.write(work)
    finally:
        database.close()
