"""A limit on a server's memory that the kernel holds: a cgroup of its own, where one can be made.

That takes root, and a memory controller: version 1 mounted by itself, or version 2 delegated to
the root. Elsewhere the server runs without, and the caller says so.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench.servers import Server

ROOT = Path("/sys/fs/cgroup")
#: Folder of the controller, and the names of the limit, of the highest use and of the kills.
VERSIONS = (
    (ROOT / "memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"),
    (ROOT, "memory.max", "memory.peak", "memory.events"),
)
REMOVAL_SECONDS = 5.0


@dataclass(frozen=True)
class Confinement:
    """A cgroup with a limit."""

    folder: Path
    peak_file: str
    kills_file: str

    def around(self, server: Server) -> Server:
        """The server, started inside."""
        enter = f'echo $$ > {self.folder}/cgroup.procs && exec "$@"'
        return replace(server, command=("sh", "-c", enter, "sh", *server.command))

    @property
    def peak_bytes(self) -> int:
        """The most it held, page cache included."""
        return int((self.folder / self.peak_file).read_text())

    @property
    def kills(self) -> int:
        """How many processes the kernel has ended for want of memory."""
        words = (self.folder / self.kills_file).read_text().split()
        return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0


@contextmanager
def confined(limit_bytes: int) -> Iterator[Confinement | None]:
    """A cgroup with that limit while the body runs; None where none can be made."""
    made = _made(limit_bytes)
    try:
        yield made
    finally:
        if made:
            _remove(made.folder)


def _made(limit_bytes: int) -> Confinement | None:
    for controller, limit, peak, kills in VERSIONS:
        folder = controller / f"pixmill-bench-{os.getpid()}"
        try:
            folder.mkdir()
            (folder / limit).write_text(str(limit_bytes))
        except OSError:
            with suppress(OSError):
                folder.rmdir()
        else:
            return Confinement(folder, peak, kills)
    return None


def _remove(folder: Path) -> None:
    """Once the last process inside is gone."""
    until = time.monotonic() + REMOVAL_SECONDS
    while time.monotonic() < until:
        with suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.05)
