"""On many machines: a worker holds an advisory lock, and the server drops it with the connection.

The lock lives on a connection of its own. A thread watches it and takes the lock anew as soon as
the connection is lost. Until then the worker looks dead and its tasks may be taken from it; their
lease tokens keep what it still does with them from being recorded.
"""

from __future__ import annotations

import hashlib
import select
import socket
import threading
import time
from collections.abc import Iterable

import psycopg
from sqlalchemy import make_url

from service.database import postgresql
from service.logs import logger
from service.tasks.engines.liveness.base import new_name

log = logger(__name__)

#: Pause between two attempts to get the connection back, in seconds.
AGAIN_SECONDS = 0.2
#: Who lost the connection takes nobody for dead for so long, in seconds: the others may have lost
#: theirs with it, as all do when the server restarts, and need a moment to come back.
REJOIN_SECONDS = 5.0

#: Keys of the locks that are held in this database; the server shows a key in two halves.
_HELD = """
    SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class AdvisoryLocks:
    """Implements Liveness on the server that all workers share."""

    def __init__(self, database_url: str) -> None:
        self.worker = new_name()
        self._url = make_url(database_url)
        self._connection = self._locked()
        self._sure_from = float("-inf")
        self._end, self._ended = socket.socketpair()
        self._watcher = threading.Thread(target=self._watch, name="liveness", daemon=True)
        self._watcher.start()

    def dead(self, workers: Iterable[str]) -> list[str]:
        """Those of `workers` whose lock nobody holds; none while this one is out of touch."""
        if time.monotonic() < self._sure_from:
            return []
        try:
            held = {key for (key,) in self._connection.execute(_HELD)}
        except psycopg.Error:
            return []
        return [name for name in workers if name != self.worker and _key(name) not in held]

    def close(self) -> None:
        """Let the lock go with its connection."""
        self._end.close()
        self._watcher.join()
        self._ended.close()
        self._connection.close()

    def _watch(self) -> None:
        while not self._is_over():
            try:
                _wait(self._ended, self._connection)
                self._connection.execute("SELECT")  # was that its end?
            except psycopg.Error as error:
                log.warning("liveness_lost", worker=self.worker, error=str(error))
                self._rejoin()

    def _rejoin(self) -> None:
        self._sure_from = float("inf")
        self._connection.close()
        while not self._is_over(AGAIN_SECONDS):
            try:
                connection = self._locked()
            except psycopg.Error:
                continue
            self._sure_from = time.monotonic() + REJOIN_SECONDS
            self._connection = connection
            log.info("liveness_regained", worker=self.worker)
            return

    def _is_over(self, seconds: float = 0) -> bool:
        return _wait(self._ended, seconds=seconds)

    def _locked(self) -> psycopg.Connection:
        connection = postgresql.connect(self._url)
        try:
            connection.execute("SELECT pg_advisory_lock(%s)", [_key(self.worker)])
        except psycopg.Error:
            connection.close()
            raise
        return connection


def _wait(*sources: socket.socket | psycopg.Connection, seconds: float | None = None) -> bool:
    """Wait until one of them can be read, or for so long; whether one can."""
    poll = select.poll()
    for source in sources:
        poll.register(source.fileno(), select.POLLIN)
    return bool(poll.poll(None if seconds is None else seconds * 1000))


def _key(worker: str) -> int:
    """The worker's key among all advisory locks of the database: 64 bits with a sign."""
    digest = hashlib.blake2b(f"pixmill worker {worker}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
