"""A child process as its parent sees it: started, called, killed; and what its end means.

Nothing here waits for ever: whoever stops waiting for a call must kill the child.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from service.config import MIB, child_environment
from service.errors import ChildNotStarted, OutOfMemory, TaskError, TimeLimitExceeded, WorkerCrashed
from service.isolation.calls import Call, Done, Raised, Value
from service.isolation.frames import HEAD, NEXT, data_of, packed

P = ParamSpec("P")
T = TypeVar("T")

#: Longest wait for a new child, in seconds.
START_SECONDS = 30
#: What is read from a child at once, in bytes.
READ_BYTES = 256 * 1024
COMMAND = (sys.executable, "-P", "-m", "service.isolation.child")


async def start_child(memory_bytes: int, modules: Sequence[str]) -> Child:
    """Start a child that may take `memory_bytes` more than it has after loading `modules`.

    Raises: ChildNotStarted.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        descriptor = theirs.fileno()
        try:
            # In this thread: the system kills the child when the thread that started it ends.
            process = subprocess.Popen(  # noqa: ASYNC220, S603 - a millisecond; our own module
                [*COMMAND, str(descriptor), str(os.getpid()), str(memory_bytes), *modules],
                pass_fds=[descriptor],
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        except OSError as error:
            ours.close()
            raise ChildNotStarted(f"No child process could be started: {error}") from error
    streams = await asyncio.open_unix_connection(sock=ours, limit=READ_BYTES)
    child = Child(process, *streams, memory_bytes)
    try:
        async with asyncio.timeout(START_SECONDS):
            await child.answer()
        child.is_free = True
    except (TaskError, TimeoutError) as error:
        raise ChildNotStarted(f"A new child process did not get ready: {error}") from error
    finally:
        if not child.is_free:
            child.kill()
            await child.wait()
    return child


class Child:
    """One child. `is_free` says whether it can take a call; if not after one, kill it."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        memory_bytes: int,
    ) -> None:
        self.memory_bytes = memory_bytes
        self.calls = 0
        self.is_free = False
        self._process = process
        self._reader = reader
        self._writer = writer

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs, as far as the system has said."""
        return self._process.poll() is None

    async def call(
        self,
        function: Callable[P, Iterator[T]],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        seconds: float | None,
    ) -> AsyncGenerator[T]:
        """Yield what `function` yields over there; it is at most one value ahead.

        Raises: what the function raises; OutOfMemory, TimeLimitExceeded or WorkerCrashed when the
        child met one of its limits or died.
        """
        self.calls += 1
        self.is_free = False
        await self._send(packed(Call(function, tuple(args), dict(kwargs), seconds)))
        while True:
            await self._send(packed(NEXT))
            match await self.answer():
                case Value(value):
                    yield value
                case Raised(MemoryError()):
                    allowed = f"{self.memory_bytes // MIB} MiB"
                    raise OutOfMemory(f"The attempt needed more memory than its {allowed}.")
                case Raised(error):
                    self.is_free = True
                    raise error
                case _:
                    self.is_free = True
                    return

    async def answer(self) -> Value | Raised | Done:
        """What the child says next. Raises: TaskError when it died, or talks nonsense."""
        try:
            (size,) = HEAD.unpack(await self._reader.readexactly(HEAD.size))
            if size > self.memory_bytes:
                raise WorkerCrashed("The child process answered with more than it may hold.")
            said = data_of(await self._reader.readexactly(size))
        except (EOFError, ConnectionError):
            raise await self._fate() from None
        except TaskError:
            raise
        except Exception as error:
            raise WorkerCrashed("The child process sent what is no data.") from error
        if not isinstance(said, Value | Raised | Done):
            raise WorkerCrashed("The child process gave an answer that is none.")
        return said

    def kill(self) -> None:
        """End it at once, whatever it does."""
        self.is_free = False
        self._writer.close()
        self._process.kill()

    async def wait(self) -> int:
        """Wait until it has ended; its exit status, or the negative of the signal's number."""
        return await asyncio.to_thread(self._process.wait)

    async def _send(self, frame: bytes) -> None:
        with suppress(ConnectionError):  # the answer, which does not come, says more
            self._writer.write(frame)
            await self._writer.drain()

    async def _fate(self) -> TaskError:
        """Why the child is gone. One that only closed its connection is killed for it."""
        self.kill()  # changes nothing for one that died
        status = await self.wait()
        if status == -signal.SIGXCPU:
            return TimeLimitExceeded("The attempt used up its time on the processor.")
        if status < 0:
            name = signal.Signals(-status).name
            return WorkerCrashed(f"The child process that worked on it was ended by {name}.")
        return WorkerCrashed(f"The child process that worked on it ended with status {status}.")
