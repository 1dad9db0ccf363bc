"""A client of Server-Sent Events: what it has heard so far, while the stream goes on."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.servers import PATIENCE, until


@dataclass(frozen=True)
class Heard:
    """One event."""

    event: str
    data: dict[str, Any]
    id: str


@dataclass
class Listener:
    """An open stream, read in a thread of its own."""

    answer: httpx.Response
    heard: list[Heard] = field(default_factory=list)
    #: The id to come back with, as a browser keeps it.
    last: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        try:
            fields: dict[str, str] = {}
            for line in self.answer.iter_lines():
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                else:
                    self._dispatch(fields)
                    fields = {}
        except httpx.HTTPError:
            pass  # cut off, by one side or the other
        finally:
            self.ended.set()

    def _dispatch(self, fields: dict[str, str]) -> None:
        self.last = fields.get("id", self.last)
        if "data" in fields:
            self.heard.append(Heard(fields["event"], json.loads(fields["data"]), self.last))

    def about(self, event: str, one: str) -> list[str]:
        """The statuses that were told of one task or image, in order."""
        return [
            heard.data["status"]
            for heard in list(self.heard)
            if (heard.event, heard.data.get("id")) == (event, one)
        ]

    def wait_for(self, event: str, one: str, status: str) -> None:
        """Until that status has been told of it."""
        until(lambda: status in self.about(event, one), f"{event} {one} {status}, live")

    def wait_for_event(self, event: str) -> Heard:
        found = until(
            lambda: [heard for heard in list(self.heard) if heard.event == event], f"a {event}"
        )
        return found[0]

    def wait_for_end(self) -> None:
        assert self.ended.wait(PATIENCE), "the stream goes on"


@contextmanager
def listening(url: str, path: str, last: str | None = None) -> Iterator[Listener]:
    """Listen to a stream while the body runs. It is open, and misses nothing from then on."""
    headers = {} if last is None else {"Last-Event-ID": last}
    with (
        httpx.Client(timeout=PATIENCE) as client,
        client.stream("GET", f"{url}{path}", headers=headers) as answer,
    ):
        listener = Listener(answer)
        thread = threading.Thread(target=listener.read, daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            _hang_up(answer)
            thread.join(PATIENCE)
    assert not thread.is_alive()


def _hang_up(answer: httpx.Response) -> None:
    connection: socket.socket = answer.extensions["network_stream"].get_extra_info("socket")
    with suppress(OSError):  # it has ended already
        connection.shutdown(socket.SHUT_RDWR)
