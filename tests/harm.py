"""Functions that do harm, and some that do none, for a thread or a child process to run."""

from __future__ import annotations

import collections
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from service.errors import BrokenPicture


def double(number: int) -> int:
    return 2 * number


def count(to: int) -> Iterator[int]:
    yield from range(to)


def journal(path: str, to: int) -> Iterator[int]:
    """Numbers, each written down when it is made."""
    for number in range(to):
        with Path(path).open("a") as file:
            file.write(f"{number}\n")
        yield number


def half(to: int) -> Iterator[int]:
    """Numbers, and then an error."""
    yield from range(to)
    raise BrokenPicture("The rest is missing.")


def refuse(error: Exception) -> None:
    raise error


def loaded() -> list[str]:
    return sorted(sys.modules)


def pid() -> int:
    return os.getpid()


def segfault() -> None:
    ctypes.string_at(0)


def kill_itself(number: int) -> None:
    os.kill(os.getpid(), number)


def leave(status: int) -> None:
    os._exit(status)


def spin() -> None:
    """A loop of the interpreter."""
    while True:
        pass


def spins() -> Iterator[int]:
    """The same as a function that would yield."""
    spin()
    yield 0


def spin_in_c() -> None:
    """A loop that never gives the interpreter lock away: nothing else in the process runs."""
    collections.deque(iter(int, 1), maxlen=0)


def hang() -> None:
    """A call that sleeps without end, deaf to what can be ignored."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    while True:
        time.sleep(3600)


def hang_while(path: str) -> None:
    """Work on for as long as the file is there, whoever waits."""
    Path(f"{path}.begun").touch()
    while Path(path).exists():
        time.sleep(0.005)


def allocate() -> None:
    held = []
    while True:
        held.append(bytearray(16 * 1024 * 1024))


class Riddle:
    """Something whose pickle says what to call."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch harmed",)


def riddle() -> Riddle:
    return Riddle()
