"""What waits to be sent to one client: the newest of each, and never more than so much."""

from __future__ import annotations

import pytest

from service.api.live import stream as module
from service.api.live.messages import PING
from service.api.live.stream import CHUNK_BYTES, EVERYTHING, MOST_WAITING, Encoded, Stream

pytestmark = pytest.mark.anyio


def about(number: int, data: bytes = b"x", event_id: str = "1.1") -> Encoded:
    return Encoded(("task", str(number)), event_id, data)


async def drained(stream: Stream) -> list[bytes]:
    stream.end()
    chunks = []
    while (chunk := await stream.next()) is not None:
        chunks.append(chunk)
    return chunks


async def test_a_newer_message_takes_the_place_of_an_older_one() -> None:
    stream = Stream(EVERYTHING)
    stream.fill([about(1, b"old "), about(2, b"other ")])
    stream.fill([about(1, b"new ")])

    assert await stream.next() == b"other new "


async def test_what_a_slow_reader_cannot_be_told_becomes_one_word() -> None:
    stream = Stream(EVERYTHING)
    for number in range(10 * MOST_WAITING):
        stream.fill([about(number, event_id=f"{number}.1")])

    first, *later = await drained(stream)

    assert first.startswith(b"event: reset\n")
    assert first.count(b"reset") == 1
    assert len(first) + sum(map(len, later)) < MOST_WAITING * 2


async def test_much_is_sent_piece_by_piece() -> None:
    stream = Stream(EVERYTHING)
    data = b"x" * 10_000
    stream.fill([about(number, data) for number in range(20)])

    chunks = await drained(stream)

    assert b"".join(chunks) == data * 20
    assert all(len(chunk) < CHUNK_BYTES + len(data) for chunk in chunks)


async def test_a_quiet_stream_has_a_comment_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING_SECONDS", 0.01)
    stream = Stream(EVERYTHING)

    assert await stream.next() == PING
    assert PING.startswith(b":")
    stream.fill([about(1)])
    assert await stream.next() == b"x"


async def test_an_ended_stream_sends_what_waits_and_no_more() -> None:
    stream = Stream(EVERYTHING)
    stream.fill([about(1)])

    assert await drained(stream) == [b"x"]
    assert await stream.next() is None
