"""What a handler works with: its task, the adapters, the threads for pixels, and progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy.orm import Session

from service.config import Settings
from service.database import Database
from service.errors import LeaseLost
from service.metrics import Metrics
from service.notifiers.base import Notifier
from service.storage.base import LocalStorage
from service.tasks import rows
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

    async def write(
        self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work` in a transaction, as long as the task is this attempt's.

        Raises: LeaseLost when the attempt comes too late; as `Database.write` else.
        """

        def held(session: Session) -> T:
            if not rows.is_held(session, self.task):
                raise LeaseLost("The task is another attempt's by now.")
            return work(session, *args, **kwargs)

        return await self.database.write(held)


#: The time limit of the attempt that runs here; whoever makes it wait for us stops its clock.
TIME_LIMIT: ContextVar[asyncio.Timeout | None] = ContextVar("time_limit", default=None)


@asynccontextmanager
async def off_the_clock() -> AsyncIterator[None]:
    """A wait that is not the attempt's own doing: its time limit moves on by as much."""
    limit = TIME_LIMIT.get()
    due = limit.when() if limit else None
    if limit is None or due is None:
        yield
        return
    left = due - asyncio.get_running_loop().time()
    limit.reschedule(None)
    try:
        yield
    finally:
        limit.reschedule(asyncio.get_running_loop().time() + left)
