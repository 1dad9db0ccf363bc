"""The processes of this machine that share a database: each tells the others its news.

A process reads a pipe in the folder they share, and the others write lines into it: `wake` when
tasks were committed, `ended <id>` when an attempt is over. So a task begins, and whoever waits for
it is answered, without a look at the rows having to find it first. News may be lost without harm:
the rows are the truth, and everybody looks at them now and then.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import make_url

from service.events import Event
from service.models import new_id
from service.runtime import Runtime
from service.tasks.engines.base import Engine

#: The line that says that tasks were committed, and the word before the id of one that ended.
WAKE = "wake"
_ENDED = "ended"
#: How the names of pipes end.
_SUFFIX = ".news"
#: Bytes read at once; a pipe holds no more.
_PIPE_BYTES = 65_536


def meet_neighbours(runtime: Runtime, engine: Engine) -> Neighbours:
    """Tell the others what ends here, wake the engine and publish what ends there."""
    events = runtime.events
    folder = meeting_place(runtime.settings.database_url)

    def hear(line: str) -> None:
        word, _, task_id = line.partition(" ")
        if word == WAKE:
            engine.submit(())
        elif word == _ENDED:
            events.publish(Event("task.ended_elsewhere", {"id": task_id}))

    def tell(event: Event) -> None:
        if event.name == "task.ended":
            neighbours.tell(f"{_ENDED} {event.fields['id']}")

    neighbours = Neighbours(folder, hear)
    events.subscribe(tell)
    return neighbours


def meeting_place(database_url: str) -> Path:
    """A folder that only this user's processes on this database know.

    Raises: PermissionError when it is somebody else's.
    """
    file = make_url(database_url).database if database_url.startswith("sqlite") else None
    database = str(Path(file).resolve()) if file else database_url
    digest = hashlib.sha256(database.encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"pixmill-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else")
    return folder


class Neighbours:
    """This process's pipe, and the way to the others'."""

    def __init__(self, folder: Path, listen: Callable[[str], None]) -> None:
        """Have `listen` called on the event loop with every line that another process tells."""
        self._folder = folder
        self._listen = listen
        self._path = folder / f".{os.getpid()}-{new_id()[-8:]}{_SUFFIX}"
        # Read before it is seen under its name: nobody may take it for a dead process's.
        unseen = self._path.with_suffix(".new")
        os.mkfifo(unseen, 0o600)
        # Open for writing as well: without a writer a pipe would be at its end for ever.
        self._pipe = os.open(unseen, os.O_RDWR | os.O_NONBLOCK)
        unseen.rename(self._path)
        asyncio.get_running_loop().add_reader(self._pipe, self._read)

    def tell(self, line: str) -> None:
        """Write a line into every other process's pipe; quick, never raises."""
        for path in self._folder.glob(f".*{_SUFFIX}"):
            if path != self._path:
                _write(path, f"{line}\n".encode())

    def close(self) -> None:
        """Listen no more."""
        asyncio.get_running_loop().remove_reader(self._pipe)
        self._path.unlink(missing_ok=True)
        os.close(self._pipe)
        with suppress(OSError):  # others are still there
            self._folder.rmdir()

    def _read(self) -> None:
        with suppress(BlockingIOError):
            for line in os.read(self._pipe, _PIPE_BYTES).decode(errors="replace").splitlines():
                self._listen(line)


def _write(path: Path, line: bytes) -> None:
    """One short write is never torn. A pipe that nobody reads is a dead process's: remove it."""
    try:
        pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    except OSError:
        with suppress(OSError):
            path.unlink()
        return
    try:
        if stat.S_ISFIFO(os.fstat(pipe).st_mode):
            os.write(pipe, line)
    except OSError:
        pass  # full: it has enough to wake up to
    finally:
        os.close(pipe)
