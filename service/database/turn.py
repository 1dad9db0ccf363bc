"""Whose turn it is to write, among the processes that share one SQLite file.

SQLite lets a writer that finds the file taken sleep and try again, up to a tenth of a second at a
time. A lock on a file beside the database is looked at every millisecond instead, so the next one
writes as soon as it is free. It is no more than manners: SQLite's own lock is what holds.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

#: Longest wait for the others, in seconds. Past it somebody hangs in a transaction, and SQLite
#: says so itself.
PATIENCE_SECONDS = 10.0
#: Pause between two looks, in seconds: shorter than any commit.
PAUSE_SECONDS = 0.001


class Turn:
    """`with turn:` waits until no other process writes. The system takes it from the dead."""

    def __init__(self, path: Path, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def __enter__(self) -> None:
        until = time.monotonic() + self._patience_seconds
        while not self._is_mine() and time.monotonic() < until:
            time.sleep(PAUSE_SECONDS)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file, which stays."""
        os.close(self._file)

    def _is_mine(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class NoTurn:
    """Where the database has many writers, or this process is its only one."""

    def __enter__(self) -> None:
        """At once."""

    def __exit__(self, *_: object) -> None:
        """Nobody waits."""

    def close(self) -> None:
        """There is nothing to let go of."""
