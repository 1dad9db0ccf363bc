"""Kinds of tasks: a handler with its priority, its retry policy and its time limit.

`@task("image.process")` turns a coroutine function into a `Kind`; a `Registry` is an immutable
table of kinds by name, made once from a literal list and handed to the runtime.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Any

from sqlalchemy.orm import Session

from service.errors import UnknownKind
from service.tasks.retry import Retry
from service.tasks.words import Ended, TaskRow


class Priority(IntEnum):
    """The lower the number, the sooner; a row keeps the number, documents show the name."""

    HIGH = 0
    NORMAL = 1
    LOW = 2

    @property
    def label(self) -> str:
        """The word used in documents, requests and metrics."""
        return self.name.lower()

    @classmethod
    def named(cls, label: str) -> Priority:
        """The priority called `high`, `normal` or `low`."""
        return cls[label.upper()]


class Lane(StrEnum):
    """Which of an engine's places a kind takes: slow mail must not keep pictures waiting."""

    #: Work that needs the threads for pixels.
    PIXELS = "pixels"
    #: Short work and work that mostly waits for somebody else.
    LIGHT = "light"


class Isolation(StrEnum):
    """Where the blocking work of a kind is done."""

    #: In a thread of this process: the quickest, and a crash there takes the process down.
    THREAD = "thread"
    #: In a child process: a crash there costs one attempt.
    PROCESS = "process"


@dataclass(frozen=True)
class Outcome:
    """What a handler hands back: a JSON result for the task's document, and its own writes.

    `record` runs in the transaction that marks the task succeeded, so both happen or neither:
    a late attempt whose lease is lost writes nothing.
    """

    result: dict[str, Any] | None = None
    record: Callable[[Session], None] | None = None


#: Gets a `Work` and the keys of the payload.
Handler = Callable[..., Awaitable[Outcome | None]]
#: Writes that go with a failure or cancel, in its transaction: (session, payload, code, message).
OnFailure = Callable[[Session, Mapping[str, Any], str, str], None]


@dataclass(frozen=True)
class Kind:
    """A kind of task and how it is run."""

    name: str
    handler: Handler
    priority: Priority
    retry: Retry
    #: Longest run of one attempt, in seconds.
    time_limit: float
    lane: Lane
    on_failure: OnFailure | None = None
    isolation: Isolation = Isolation.THREAD


def task(
    name: str,
    *,
    priority: Priority = Priority.NORMAL,
    retry: Retry | None = None,
    time_limit: float = 60.0,
    lane: Lane = Lane.LIGHT,
    on_failure: OnFailure | None = None,
    isolation: Isolation = Isolation.THREAD,
) -> Callable[[Handler], Kind]:
    """Make the decorated coroutine function the handler of tasks of kind `name`.

    The handler gets a `Work` and the payload's keys as keyword arguments. It may be run more than
    once for one task, also after it has succeeded but before that was recorded: it is idempotent.
    """

    def make(handler: Handler) -> Kind:
        return Kind(
            name, handler, priority, retry or Retry(), time_limit, lane, on_failure, isolation
        )

    return make


def isolated_as(kinds: Iterable[Kind], words: Sequence[str]) -> list[Kind]:
    """The kinds with the isolation that `PIXMILL_ISOLATION` gives them: a word for all of them, or
    `kind=word` for one, which counts for more.

    Raises: ValueError with what is wrong in words.
    """
    kinds = list(kinds)
    names = {kind.name for kind in kinds if kind.lane is Lane.PIXELS}
    chosen: dict[str, Isolation] = {}
    for word in sorted(words, key=lambda word: "=" in word):
        name, _, isolation = word.rpartition("=")
        if isolation not in list(Isolation) or (name and name not in names):
            raise ValueError(
                f"PIXMILL_ISOLATION has {word!r}; it takes `thread` or `process`, and "
                f"`kind=process` for one of {', '.join(sorted(names))}"
            )
        chosen |= dict.fromkeys([name] if name else names, Isolation(isolation))
    return [replace(kind, isolation=chosen.get(kind.name, kind.isolation)) for kind in kinds]


class Registry:
    """All kinds of one service, by name."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def __getitem__(self, name: str) -> Kind:
        """Raises: UnknownKind."""
        try:
            return self._kinds[name]
        except KeyError:
            raise UnknownKind(f"No handler is registered for {name!r}.") from None

    def can_isolate(self, task: TaskRow) -> bool:
        """Whether a child process would make a difference: light work needs no place."""
        kind = self._kinds.get(task.kind)
        return kind is not None and kind.lane is Lane.PIXELS

    def is_isolated(self, task: TaskRow) -> bool:
        """Whether this attempt's blocking work goes to a child process: because its kind's does,
        or because of what an earlier attempt did."""
        if not self.can_isolate(task):
            return False
        return task.isolated or self._kinds[task.kind].isolation is Isolation.PROCESS

    def tell(self, session: Session, ended: Iterable[Ended]) -> None:
        """Let each kind write what its tasks' end without success means for their subject."""
        for end in ended:
            kind = self._kinds.get(end.kind)
            if kind and kind.on_failure:
                kind.on_failure(session, end.payload, end.code, end.message)
