"""Server-Sent Events as bytes. Source: WHATWG HTML, section 9.2."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi.sse import format_sse_event
from pydantic import BaseModel, TypeAdapter

#: How long a browser waits before it connects again, in milliseconds.
RETRY_MILLISECONDS = 2_000
#: What keeps proxies from taking a quiet stream for a dead one.
PING = format_sse_event(comment="")

_JSON: TypeAdapter[Any] = TypeAdapter(dict[str, Any])


@dataclass(frozen=True)
class Message:
    """One event: what it is about, so that a newer one can take its place, and its data."""

    event: str
    about: str
    data: bytes

    @property
    def digest(self) -> str:
        """What tells one state of a document from another."""
        return hashlib.blake2s(self.data, digest_size=8).hexdigest()

    def encoded(self, event_id: str) -> bytes:
        """As it is sent."""
        return format_sse_event(event=self.event, data_str=self.data.decode(), id=event_id)


RESET = Message("reset", "", b"{}")


def of_document(event: str, about: str, document: BaseModel) -> Message:
    """A message whose data is a document."""
    return Message(event, about, document.model_dump_json().encode())


def of_fields(event: str, about: str, fields: Mapping[str, Any]) -> Message:
    """A message whose data is a few fields."""
    return Message(event, about, _JSON.dump_json(dict(fields)))


def opening(event_id: str | None) -> bytes:
    """The beginning of a stream: when to come back, and from where."""
    return format_sse_event(id=event_id, retry=RETRY_MILLISECONDS)
