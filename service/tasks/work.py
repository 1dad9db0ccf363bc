"""What a handler works with: its task, the adapters, the threads for pixels, and progress."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar

from service.config import Settings
from service.database import Database
from service.metrics import Metrics
from service.notifiers.base import Notifier
from service.storage.base import LocalStorage
from service.tasks.words import TaskRow

P = ParamSpec("P")
T = TypeVar("T")


class Threads(Protocol):
    """Somewhere to run blocking work off the event loop."""

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in a thread and return its result."""
        ...


@dataclass(frozen=True)
class Work:
    """One attempt at a task, as its handler sees it."""

    task: TaskRow
    settings: Settings
    database: Database
    uploads: LocalStorage
    processed: LocalStorage
    notifiers: Mapping[str, Notifier]
    metrics: Metrics
    threads: Threads
    #: Tell how far the attempt is, from 0 to 1.
    progress: Callable[[float], Awaitable[None]]


Payload = dict[str, Any]
