"""Celery's workers beside an API that relays: their children can be killed one by one."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from service.config import Settings
from service.tasks import Lane
from service.tasks.engines.celery import CeleryBroker, new_app
from service.tasks.rows import Dispatched
from tests.conformance.engines.base import Cluster
from tests.conformance.kinds import notes
from tests.servers import Process


def name_broker(folder: Path, url: str) -> None:
    """Have the processes that work in a folder use a broker."""
    with (folder / ".env").open("a") as settings:
        settings.write(f"PIXMILL_ENGINE=celery\nPIXMILL_BROKER_URL={url}\n")


class WithCelery(Cluster):
    """A relay, a broker, and one worker with one child."""

    slots = 1
    ahead = 4

    worker: Process | None = None

    def start_workers(self) -> None:
        if self.worker is None:
            self.worker = self.process("worker")

    def stop_workers(self) -> Callable[[], int]:
        assert self.worker is not None
        stopping, self.worker = self.worker, None
        stopping.process.send_signal(signal.SIGTERM)
        return stopping.terminate

    def recover(self) -> None:
        """Nothing: Celery starts another child."""

    def close(self) -> None:
        super().close()
        if self.worker:
            self.worker.kill()

    def deliver(self, task_id: str, times: int) -> None:
        settings = Settings(_env_file=self.folder / ".env")
        broker = CeleryBroker(new_app(settings), [notes], settings.lease_seconds)
        broker.publish([Dispatched(task_id, notes.name, Lane.PIXELS)] * times)
        broker.close()
