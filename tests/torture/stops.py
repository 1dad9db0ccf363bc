"""The real command line, which sends itself a signal at a named point of a life, or waits there.

Run as `python -m tests.torture.stops SIGKILL committed 1 serve`: the first process argument is the
signal, then the point, then at which arrival. The service knows nothing of it: the functions at
these points are wrapped from outside, before the real command line starts.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service import images
from service.api import uploads as routes
from service.storage import local, part
from service.tasks import runner
from service.tasks.engines import EmbeddedEngine

MODULE = "tests.torture.stops"
#: How long a thread waits for a signal that it has sent to its own process, in seconds.
DELIVERY_SECONDS = 0.2
#: Pause between two looks whether the watcher has let it go, in seconds.
PAUSE_SECONDS = 0.01
#: Which variant of an image is the second half's first: there are four.
HALF = 2

Counts = Callable[..., bool]


def _always(*_: Any) -> bool:
    return True


def _of_an_original(one: part.Part, *_: Any) -> bool:
    return one.temp.parts[-3] == "uploads"


def _of_half() -> Counts:
    stored: Counter[str] = Counter()

    def counts(_: local.LocalFolder, key: str, *__: Any) -> bool:
        stored[key.partition("/")[0]] += 1
        return stored[key.partition("/")[0]] == HALF

    return counts


@dataclass(frozen=True)
class Point:
    """A place in the code: before or after a function, for those of its calls that count."""

    owner: Any
    function: str
    after: bool
    counts: Counts = _always


#: In the order of an upload's life. A row is there from `committed` on.
POINTS = {
    "received": Point(local, "finish", after=False, counts=_of_an_original),
    "fsynced": Point(part, "sync", after=True, counts=_of_an_original),
    "renamed": Point(part, "rename", after=True, counts=_of_an_original),
    "written": Point(images, "receive", after=True),
    "committed": Point(routes, "_commit", after=True),
    "nudged": Point(EmbeddedEngine, "submit", after=True),
    "claimed": Point(runner, "carry_out", after=False),
    "half_made": Point(local.LocalFolder, "put", after=True, counts=_of_half()),
    "made": Point(runner, "_record_success", after=False),
    "recorded": Point(runner, "_record_success", after=True),
}
UNCOMMITTED = ("received", "fsynced", "renamed", "written")
COMMITTED = tuple(name for name in POINTS if name not in UNCOMMITTED)
#: While a process is here, the task's row says that it runs.
RUNNING = ("claimed", "half_made", "made")


def arm(point: Point, arrive: Callable[[], None]) -> None:
    """Have `arrive` called whenever the process is at `point`."""
    real = getattr(point.owner, point.function)

    def before(*given: Any, **named: Any) -> Any:
        if point.counts(*given):
            arrive()
        return real(*given, **named)

    def after(*given: Any, **named: Any) -> Any:
        result = real(*given, **named)
        if point.counts(*given):
            arrive()
        return result

    async def after_awaiting(*given: Any, **named: Any) -> Any:
        result = await real(*given, **named)
        if point.counts(*given):
            arrive()
        return result

    awaiting = after_awaiting if inspect.iscoroutinefunction(real) else after
    armed = awaiting if point.after else before
    setattr(point.owner, point.function, functools.wraps(real)(armed))


def signalling(number: signal.Signals, arrival: int) -> Callable[[], None]:
    """A function that sends this process the signal when it is called for that time.

    SIGSTOP it leaves to whoever watches, and waits: only from outside can one see to it that no
    other thread is stopped in the midst of a transaction.
    """
    arrivals = itertools.count(1)
    here = Path(number.name)

    def arrive() -> None:
        if next(arrivals) != arrival:
            return
        here.touch()
        if number == signal.SIGSTOP:
            while here.exists():
                time.sleep(PAUSE_SECONDS)
            return
        os.kill(os.getpid(), number)
        time.sleep(DELIVERY_SECONDS)  # never goes on before the signal has come

    return arrive


def main() -> None:
    name, point, arrival = sys.argv[1:4]
    del sys.argv[1:4]
    arm(POINTS[point], signalling(signal.Signals[name], int(arrival)))
    from service.__main__ import main as command_line

    command_line()


if __name__ == "__main__":
    main()
