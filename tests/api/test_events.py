"""Live updates over HTTP: what is told, from where on, to how many, and how it ends."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import httpx
import pytest
from sqlalchemy.orm import Session

from service.api.live import follower, looking, response
from service.api.live.looking import Seen
from service.api.live.messages import Message
from service.api.live.stream import Encoded, Stream
from service.errors import DatabaseFailed
from service.tasks import rows
from tests.api.asking import problem, upload
from tests.listening import Listener, listening
from tests.servers import Served, until

T = TypeVar("T")


def write(served: Served, work: Callable[[Session], T]) -> T:
    """What another process would write, past the API."""
    return asyncio.run(served.parts.runtime.database.write(work))


def test_what_happens_is_told_as_lists_show_it(service: Served) -> None:
    with listening(service.url, "/events") as live:
        image = upload(service.client)
        task_id = image["task_id"]
        live.wait_for("task", task_id, "succeeded")
        live.wait_for("image", image["id"], "ready")

    (listed,) = service.client.get(f"/tasks?subject_type=image&subject_id={image['id']}").json()[
        "items"
    ]
    told = [one.data for one in live.heard if one.data["id"] == task_id]
    assert told[-1] == listed
    images = [one.data for one in live.heard if one.data["id"] == image["id"]]
    assert images[-1] == {"id": image["id"], "status": "ready"}


def test_a_stream_is_passed_on_by_proxies_and_kept_by_nobody(service: Served) -> None:
    with listening(service.url, "/events") as live:
        headers = live.answer.headers
        assert headers["content-type"].startswith("text/event-stream")
        assert headers["cache-control"] == "no-store"
        assert headers["x-accel-buffering"] == "no"
        assert headers["x-request-id"]
        until(lambda: live.last, "an id to come back with")

    assert service.client.head("/events").status_code == 200


def test_who_comes_back_is_told_what_was_missed(service: Served) -> None:
    with listening(service.url, "/events") as live:
        seen = upload(service.client)
        live.wait_for("task", seen["task_id"], "succeeded")
    missed = upload(service.client)
    service.image(missed["id"])

    with listening(service.url, "/events", live.last) as again:
        again.wait_for("task", missed["task_id"], "succeeded")
        again.wait_for("image", missed["id"], "ready")
        later = upload(service.client)
        again.wait_for("task", later["task_id"], "succeeded")


@pytest.mark.parametrize("last", ["nix", "999999999999.1700000000000", "1.2.3", ""])
def test_who_comes_back_from_nowhere_loads_everything_anew(service: Served, last: str) -> None:
    with listening(service.url, "/events", last) as live:
        assert live.wait_for_event("reset").data == {}
        image = upload(service.client)
        live.wait_for("image", image["id"], "ready")


def test_too_much_at_once_is_told_in_a_word(idle: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "MOST_TOLD", 1)
    monkeypatch.setattr(follower, "LONG_SECONDS", 0.01)
    with listening(idle.url, "/events") as live:
        idle.client.post("/items/7/process").raise_for_status()
        live.wait_for_event("reset")

        task_id = idle.client.post("/items/8").json()["task_id"]
        live.wait_for("task", task_id, "queued")


def halfway(live: Listener) -> bool:
    return 0.5 in [heard.data.get("progress") for heard in list(live.heard)]


def test_what_happens_while_the_database_is_out_is_told_later(
    idle: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage, look = iter([True, True]), looking.look

    def look_in_vain(*wanted: Any) -> Seen:
        if next(outage, False):
            raise DatabaseFailed("The database did not answer in time.")
        return look(*wanted)

    monkeypatch.setattr(follower, "LONG_SECONDS", 0.01)
    with listening(idle.url, "/events") as live:
        monkeypatch.setattr(follower, "look", look_in_vain)
        task_id = idle.client.post("/items/8").json()["task_id"]
        live.wait_for("task", task_id, "queued")
    assert next(outage, None) is None


def test_progress_is_told_though_nothing_else_changes(make_service: Callable[..., Served]) -> None:
    idle = make_service(engine="none")
    image = upload(idle.client)
    claim = partial(rows.claim_one, task_id=image["task_id"], worker="w", lease_seconds=30)
    task = write(idle, claim)
    assert task
    with (
        listening(idle.url, "/events") as live,
        listening(idle.url, f"/images/{image['id']}/events") as of_image,
        listening(idle.url, f"/tasks/{task.id}/events") as of_task,
    ):
        until(lambda: of_task.heard and of_image.heard, "their beginning")
        write(idle, partial(rows.report_progress, task=task, fraction=0.5))

        for one in (live, of_image, of_task):
            until(partial(halfway, one), "the progress")
    assert of_image.heard[-1].data == {"id": task.id, "status": "running", "progress": 0.5}
    assert [one.event for one in of_image.heard].count("image") == 1, "it has not changed"


def test_a_task_is_followed_to_its_end(make_service: Callable[..., Served]) -> None:
    idle = make_service(engine="none")
    task_id = upload(idle.client)["task_id"]
    path = f"/tasks/{task_id}/events"
    with listening(idle.url, path) as live:
        live.wait_for("task", task_id, "queued")
        make_service()
        live.wait_for_end()

    assert live.about("task", task_id)[-1] == "succeeded"
    assert live.heard[-1].data == idle.client.get(f"/tasks/{task_id}").json()
    over = idle.client.get(path, headers={"Last-Event-ID": live.last})
    assert over.status_code == 204, "a browser would come back for ever"
    with listening(idle.url, path) as late:
        late.wait_for_end()
    assert late.heard == live.heard[-1:]


def test_an_image_is_followed_until_it_is_ready(service: Served) -> None:
    image = upload(service.client)
    path = f"/images/{image['id']}/events"
    with listening(service.url, path) as live:
        live.wait_for_end()

    told = [one for one in live.heard if one.event == "image"]
    assert told[-1].data == service.client.get(f"/images/{image['id']}").json()
    assert told[-1].data["status"] == "ready"
    again = service.client.get(path, headers={"Last-Event-ID": told[-1].id})
    assert again.status_code == 204


def test_what_is_deleted_is_told_and_ends(idle: Served) -> None:
    image = upload(idle.client)
    with (
        listening(idle.url, "/events") as live,
        listening(idle.url, f"/images/{image['id']}/events") as of_image,
    ):
        of_image.wait_for("image", image["id"], "received")
        idle.client.delete(f"/images/{image['id']}").raise_for_status()
        of_image.wait_for_end()
        live.wait_for("image", image["id"], "deleted")


@pytest.mark.parametrize("path", ["/tasks/nix/events", "/images/nix/events"])
def test_what_is_not_there_cannot_be_followed(client: httpx.Client, path: str) -> None:
    problem(client.get(path), 404, "not_found")


def test_what_another_process_does_is_told(make_service: Callable[..., Served]) -> None:
    working, asked = make_service(), make_service(engine="none")
    with listening(asked.url, "/events") as live:
        image = upload(working.client)
        live.wait_for("task", image["task_id"], "succeeded")
        live.wait_for("image", image["id"], "ready")


def test_only_so_many_streams_are_open(make_service: Callable[..., Served]) -> None:
    served = make_service(engine="none", max_streams=2)

    def gauge(count: int) -> bool:
        return f"pixmill_event_streams {count}.0" in served.client.get("/metrics").text

    task_id = served.client.post("/items/7").json()["task_id"]
    with (
        listening(served.url, "/events"),
        listening(served.url, f"/tasks/{task_id}/events"),
    ):
        until(lambda: gauge(2), "two streams in the metrics")
        for path in ("/events", f"/tasks/{task_id}/events"):
            refused = served.client.get(path)
            assert problem(refused, 503, "too_many_streams")["limit"] == 2
            assert refused.headers["retry-after"]
    until(lambda: gauge(0), "no stream in the metrics")

    with listening(served.url, "/events") as live:
        served.client.post("/items/8").raise_for_status()
        live.wait_for_event("task")


def test_a_stop_waits_for_no_stream(make_service: Callable[..., Served]) -> None:
    served = make_service(engine="none")
    served.server.config.timeout_graceful_shutdown = 25
    with listening(served.url, "/events") as live, deaf_client(served):
        began = time.monotonic()
        served.stop()
        assert time.monotonic() - began < 10
        live.wait_for_end()


def test_who_does_not_read_is_cut_off(
    make_service: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response, "STUCK_SECONDS", 0.1)
    served = make_service(engine="none")
    with listening(served.url, "/events") as live, deaf_client(served):
        until(lambda: len(streams(served)) == 1, "the end of the other")
        task_id = served.client.post("/items/7").json()["task_id"]
        live.wait_for("task", task_id, "queued")


@contextmanager
def deaf_client(served: Served) -> Iterator[None]:
    """It asks for everything and reads nothing, and more has been sent than anybody holds."""
    before = set(streams(served))
    address = httpx.URL(served.url)
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        (stream,) = until(lambda: set(streams(served)) - before, "the stream")
        data = Message("task", "x", b"x" * 10_000_000).encoded("1.1")
        for number in range(3):
            filling = [Encoded(("task", str(number)), "1.1", data)]
            served.parts.follower._loop.call_soon_threadsafe(stream.fill, filling)
        until(
            lambda: len(stream._waiting) == 2 or stream not in streams(served),
            "what it was sent first is on its way, or was long enough",
        )
        yield


def streams(served: Served) -> list[Stream]:
    return [one for those in list(served.parts.follower._streams.values()) for one in those]
