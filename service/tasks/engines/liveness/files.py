"""On one machine: each worker holds a lock on a file, and the system drops it with the process."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from service.tasks.engines.liveness.base import new_name


class FileLocks:
    """Implements Liveness in a folder that all workers of one database share."""

    def __init__(self, folder: Path) -> None:
        self.worker = new_name()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / self.worker
        # Locked before it is seen under its name: nobody may take it for a dead worker's.
        unseen = folder / f".{self.worker}"
        self._file = unseen.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        unseen.rename(self._path)
        self.dead(path.name for path in folder.glob("[!.]*"))  # removes the files of the dead

    def dead(self, workers: Iterable[str]) -> list[str]:
        """Those of `workers` that have certainly ended."""
        return [name for name in workers if name != self.worker and self._is_dead(name)]

    def close(self) -> None:
        """End this worker's life in the eyes of the others."""
        self._path.unlink(missing_ok=True)
        self._file.close()

    def _is_dead(self, worker: str) -> bool:
        path = self._folder / worker
        try:
            with path.open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except BlockingIOError:
            return False
        except FileNotFoundError:
            return True  # it closed, or a sibling found it dead before us
        with suppress(OSError):
            path.unlink(missing_ok=True)
        return True
