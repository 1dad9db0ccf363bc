"""Messages into a file, one JSON object a line: the default, and what a developer reads."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import anyio

from service.errors import DeliveryFailed
from service.models import now
from service.notifiers.base import Message


class FileNotifier:
    """Append to the file at `path`, synced; its folder is made if missing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def send(self, message: Message) -> None:
        """Append one line. Raises: DeliveryFailed when the disk does not take it."""
        line = json.dumps({"at": now().isoformat(), **asdict(message)}, ensure_ascii=True) + "\n"
        try:
            await anyio.to_thread.run_sync(self._append, line.encode())
        except OSError as error:
            raise DeliveryFailed(f"The notifications file failed: {error.strerror}.") from error

    def _append(self, line: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # One write with O_APPEND: lines of several processes never mix.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
