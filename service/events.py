"""What has happened, told after its commit.

An event is a past-tense name and flat fields. Listeners are synchronous, quick and safe to call
from any thread: metrics count here, live updates hang on here. A listener that fails is logged
and never reaches the publisher: the row is the truth, an event is only news of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from service.logs import logger

log = logger(__name__)


@dataclass(frozen=True)
class Event:
    """Something that happened: `task.succeeded`, with its fields."""

    name: str
    fields: dict[str, Any]


def after_commit(session: Session, name: str, **fields: Any) -> None:
    """Have `database.write` publish this once the session's transaction is committed."""
    session.info.setdefault("events", []).append(Event(name, fields))


Listener = Callable[[Event], None]


@dataclass(frozen=True)
class Events:
    """The listeners of one runtime."""

    listeners: list[Listener] = field(default_factory=list)

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with every event from now on."""
        self.listeners.append(listener)

    def publish(self, event: Event) -> None:
        """Tell every listener, in the caller's thread; never raises."""
        for listener in self.listeners:
            try:
                listener(event)
            except Exception:
                log.exception("event_listener_failed", event_name=event.name)
