"""Real servers for tests: the application in a thread, or as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvicorn

from service.api.deps import Parts
from service.app import create_app
from service.config import Settings
from service.database.turn import Turn
from service.protocol import reading
from tests.forking import begin

T = TypeVar("T")

#: No condition that a test waits for takes this long, in seconds.
PATIENCE = 30.0
#: Let go of before the server does, after 5 s: no request meets a connection that is closing.
KEPT = httpx.Limits(keepalive_expiry=2)


def until(look: Callable[[], T], what: str = "the condition", patience: float = PATIENCE) -> T:
    """Look again and again until what is seen is true, and return it."""
    deadline = time.monotonic() + patience
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {patience:g} s")
        time.sleep(0.01)
    return seen


@dataclass
class Served:
    """An application that answers on a port, in a thread of this process."""

    url: str
    parts: Parts
    client: httpx.Client
    server: uvicorn.Server
    thread: threading.Thread

    def stop(self) -> None:
        self.client.close()
        self.server.should_exit = True
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "the server did not stop"

    def image(self, image_id: str) -> dict[str, Any]:
        """The image's document, once its work has ended."""
        return finished(self.client, f"/images/{image_id}", ("ready", "failed"))

    def task(self, task_id: str) -> dict[str, Any]:
        """The task's document, once it has ended."""
        return finished(self.client, f"/tasks/{task_id}", ("succeeded", "failed", "cancelled"))


def finished(client: httpx.Client, path: str, final: tuple[str, ...]) -> dict[str, Any]:
    """The document at `path` once its status is one of `final`."""

    def look() -> dict[str, Any] | None:
        document: dict[str, Any] = client.get(path).raise_for_status().json()
        return document if document["status"] in final else None

    found = until(look, f"{path} in {final}")
    assert found is not None
    return found


def serve(settings: Settings) -> Served:
    """Start the application on a free port, with its engine."""
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        http=reading(),
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive(), "the start")
    assert server.started, "the application did not start"
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    parts: Parts = app.state.parts
    parts.previews._seconds = PATIENCE  # its children have what other tests leave of the cores
    return Served(url, parts, httpx.Client(base_url=url, timeout=30, limits=KEPT), server, thread)


@dataclass
class Process:
    """`pixmill serve` as a process of its own, on a free port and a folder that outlives it.

    The folder's `.env` names the database.
    """

    folder: Path
    changes: Mapping[str, str] = field(default_factory=dict)
    module: str = "service"
    command: str = "serve"

    def __post_init__(self) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if "PIXMILL" not in name},
            "PIXMILL_PORT": "0",
            "PIXMILL_UPLOADS": str(self.folder / "uploads"),
            "PIXMILL_PROCESSED": str(self.folder / "processed"),
            "PIXMILL_NOTIFICATIONS_FILE": str(self.folder / "notifications.jsonl"),
            "PIXMILL_MIN_FREE_BYTES": "0",
            "PIXMILL_SWEEP_SECONDS": "0.2",
            "PYTHONPATH": str(Path(__file__).parent.parent),
            **self.changes,
        }
        self.process = begin([self.module, *self.command.split()], self.folder, environment)
        self.url = self._url()
        self.client = httpx.Client(base_url=self.url, timeout=30, limits=KEPT)

    def _url(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"answers at (\S+)", line):
                return found[1]
        self.process.wait(PATIENCE)
        self.process.stdout.close()
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        """End it as a loss of power would: no handler runs."""
        self.process.send_signal(signal.SIGKILL)
        self._reap()

    def terminate(self, patience: float = PATIENCE) -> int:
        """Ask it to stop, as an orchestrator does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._reap(patience)

    def wait(self, patience: float = PATIENCE) -> int:
        """Wait until it ends by itself, and return its exit code."""
        return self._reap(patience)

    def _reap(self, patience: float = PATIENCE) -> int:
        code = self.process.wait(patience)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.client.close()
        return code


def suspend(process: Process) -> None:
    """Stop it with SIGSTOP while it is not its turn to write to SQLite: it holds nobody up."""
    turn = Turn(process.folder / "pixmill.db.turn")
    with closing(turn), turn:
        process.process.send_signal(signal.SIGSTOP)
        until(lambda: _state(process) == "T", "the stop")


def _state(process: Process) -> str:
    """The letter that the system has for what a process does; T: stopped."""
    stat = Path(f"/proc/{process.process.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0]
