"""Whose turn it is to write, among the processes that share one SQLite file.

SQLite lets a writer that finds the file taken sleep and try again, up to a tenth of a second at a
time, and whoever comes by meanwhile is served first. A lock on a file beside the database is
handed over by the system in the moment it is free.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Turn:
    """`with turn:` waits until no other process writes. The system takes it from the dead."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def __enter__(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file, which stays."""
        os.close(self._file)


class NoTurn:
    """Where the database has many writers, or this process is its only one."""

    def __enter__(self) -> None:
        """At once."""

    def __exit__(self, *_: object) -> None:
        """Nobody waits."""

    def close(self) -> None:
        """There is nothing to let go of."""
