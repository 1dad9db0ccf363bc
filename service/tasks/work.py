"""What a handler works with: its task, the adapters, a place for pixels, and progress."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy.orm import Session

from service.config import Settings
from service.database import Database
from service.errors import LeaseLost, TaskCancelled
from service.memory import Memory
from service.metrics import Metrics
from service.notifiers.base import Notifier
from service.storage.base import LocalStorage
from service.tasks import rows
from service.tasks.words import TaskRow

P = ParamSpec("P")
T = TypeVar("T")


class Place(Protocol):
    """Where an attempt's blocking work is done: in a thread, or in a child process.

    For a child, the function is one that its module's name leads to, the module is one that may
    be imported there, and all that goes to and fro can be pickled; what comes back is plain
    values, dataclasses and exceptions.
    """

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` and return its result."""
        ...

    def stream(
        self, function: Callable[P, Iterator[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T]:
        """Yield what `function` yields; it is at most one value ahead of whoever takes them.

        Whoever stops before the end closes the generator: that gives the function up.
        """
        ...


class Cancellation:
    """Somebody's wish that one attempt stop.

    A handler that waits on the event loop is interrupted, and with it the place it waits for: a
    thread stops at its next checkpoint, a child process is killed. Whatever else a handler starts
    may look at `is_asked`.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._scope: asyncio.Timeout | None = None

    @property
    def is_asked(self) -> bool:
        """Whether the attempt is to stop; from any thread."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Interrupt the attempt where it waits; on its event loop. Twice is as good as once."""
        if not self.is_asked and self._scope:
            self._scope.reschedule(asyncio.get_running_loop().time())
        self._asked.set()

    @asynccontextmanager
    async def heeded(self) -> AsyncIterator[None]:
        """What is done inside is interrupted when somebody asks. Raises: TaskCancelled, then."""
        self._scope = scope = asyncio.timeout(0 if self.is_asked else None)
        try:
            async with scope:
                yield
        except TimeoutError:
            if scope.expired():
                raise TaskCancelled("The task was cancelled while it ran.") from None
            raise
        finally:
            self._scope = None


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
    memory: Memory
    place: Place
    #: Tell how far the attempt is, from 0 to 1.
    progress: Callable[[float], Awaitable[None]]
    #: Whether somebody wants it to stop.
    cancelled: Cancellation

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


def seconds_left() -> float | None:
    """What the attempt that runs here has left of its time limit; None where it has none."""
    limit = TIME_LIMIT.get()
    due = limit.when() if limit else None
    return None if due is None else max(0.0, due - asyncio.get_running_loop().time())


async def only(values: AsyncGenerator[T]) -> T:
    """The one value of a generator."""
    async with aclosing(values):
        (value,) = [value async for value in values]
    return value
