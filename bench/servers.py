"""A server under test: how it is started, and a process group that is surely gone afterwards."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS = 60.0
STOP_SECONDS = 15.0
PORT = "{port}"


@dataclass(frozen=True)
class Server:
    """What is started. `{port}` in the command and the environment becomes a free port."""

    name: str
    command: tuple[str, ...]
    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)
    health: str = "/healthz"


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    name: str
    port: int
    pid: int
    health: str
    folder: Path


@contextmanager
def running(server: Server) -> Iterator[Running]:
    """Start the server, wait until it answers, and end its whole process group afterwards."""
    server.folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    log = server.folder.with_name(f"{server.folder.name}.log")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [part.replace(PORT, str(port)) for part in server.command],
            cwd=server.folder,
            env=clean_environment()
            | {name: value.replace(PORT, str(port)) for name, value in server.env.items()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_until_healthy(server, port, process, log)
        yield Running(server.name, port, process.pid, server.health, server.folder)
    finally:
        end(process)


def clean_environment() -> dict[str, str]:
    """Ours without the developer's own settings of the service."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PIXMILL_")}


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_healthy(
    server: Server, port: int, process: subprocess.Popen[bytes], log: Path
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_healthy(port, server.health):
            return
        time.sleep(0.05)
    reason = "is not healthy in time" if process.poll() is None else f"ended ({process.poll()})"
    raise RuntimeError(f"{server.name} {reason}:\n{log.read_text(errors='replace')[-3000:]}")


def _is_healthy(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask first, then end whatever is left of the group: thumbor and pools leave children."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_SECONDS)
