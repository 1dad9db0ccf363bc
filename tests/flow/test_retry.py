"""Handlers that fail: tried again where that can help, then failed with the reason kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from service.models import now
from service.tasks import Kind, Step, chain, enqueue
from tests.conftest import NewDatabase
from tests.flow import failing
from tests.flow.evidence import enqueued, happened, in_database, name_database
from tests.servers import Process, finished

FINAL = ("succeeded", "failed", "cancelled")


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase
) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("failing")
    name_database(folder, new_database(folder))
    process = Process(folder, {"PIXMILL_POLL_SECONDS": "0.02"}, failing.MODULE)
    yield process
    process.kill()


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        (failing.transient, "delivery_failed", "Nobody answered attempt 3."),
        (failing.unforeseen, "ZeroDivisionError", "a bug in a handler"),
    ],
    ids=["transient", "unforeseen"],
)
def test_a_failing_handler_is_retried_and_then_failed_with_its_error_stored(
    server: Process, kind: Kind, code: str, message: str
) -> None:
    task = finished(server.client, f"/tasks/{enqueued(server, kind)}", FINAL)

    assert (task["status"], task["attempt"], task["max_attempts"]) == ("failed", 3, 3)
    assert task["error"]["code"] == code
    assert task["error"]["message"] == message
    assert "Traceback" in task["error"]["traceback"]
    assert kind.handler.__name__ in task["error"]["traceback"]
    attempts = [event["detail"] for event in task["events"] if event["kind"] == "attempt_failed"]
    assert [(one["attempt"], one["code"]) for one in attempts] == [(1, code), (2, code)]
    assert all(kind.handler.__name__ in one["traceback"] for one in attempts)
    assert all(one["wait_seconds"] <= kind.retry.ceiling(one["attempt"]) for one in attempts)
    assert happened(task) == ["enqueued", *["claimed", "attempt_failed"] * 2, "claimed", "failed"]
    listed = server.client.get("/tasks", params={"kind": kind.name}).json()["items"]
    assert [one["error"]["code"] for one in listed] == [code]


def test_a_handler_that_fails_twice_succeeds_the_third_time(server: Process) -> None:
    task = finished(server.client, f"/tasks/{enqueued(server, failing.third_time)}", FINAL)

    assert (task["status"], task["attempt"]) == ("succeeded", 3)
    assert task["result"] == {"attempt": 3}
    assert task["error"] is None
    assert happened(task).count("attempt_failed") == 2


def test_an_error_that_no_attempt_can_mend_is_final_at_once(server: Process) -> None:
    task = finished(server.client, f"/tasks/{enqueued(server, failing.permanent)}", FINAL)

    assert (task["status"], task["attempt"]) == ("failed", 1)
    assert task["error"]["code"] == "delivery_refused"
    assert happened(task) == ["enqueued", "claimed", "failed"]


def test_an_attempt_over_its_time_limit_is_ended_and_retried(server: Process) -> None:
    task = finished(server.client, f"/tasks/{enqueued(server, failing.endless)}", FINAL)

    assert (task["status"], task["attempt"]) == ("failed", 2)
    assert task["error"]["code"] == "time_limit"
    assert happened(task) == ["enqueued", "claimed", "attempt_failed", "claimed", "failed"]


def test_a_chain_stops_at_its_first_failure_and_goes_on_when_that_is_retried(
    server: Process,
) -> None:
    journal = server.folder / "journal"
    steps = [
        Step(failing.needs, {"file": "needed", "journal": journal.name}),
        Step(failing.follows, {"journal": journal.name}),
    ]
    first, second = in_database(server, lambda session: chain(session, steps))

    assert finished(server.client, f"/tasks/{first}", FINAL)["status"] == "failed"
    cancelled = server.client.get(f"/tasks/{second}").json()
    assert cancelled["status"] == "cancelled"
    assert happened(cancelled) == ["enqueued", "cancelled"]
    assert cancelled["events"][-1]["detail"] == {"because": first}
    refused = server.client.post(f"/tasks/{second}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert not journal.exists(), "neither did its work"

    (server.folder / "needed").touch()
    assert server.client.post(f"/tasks/{first}/retry").json()["status"] == "queued"

    done = finished(server.client, f"/tasks/{second}", FINAL)
    assert done["status"] == "succeeded"
    assert happened(done) == [
        *["enqueued", "cancelled", "revived", "released", "claimed", "succeeded"]
    ]
    assert server.client.get(f"/tasks/{first}").json()["status"] == "succeeded"
    assert journal.read_text().split() == ["first", "second"]


def test_a_task_that_has_not_begun_can_be_cancelled(server: Process) -> None:
    later = now() + timedelta(hours=1)
    task_id = in_database(
        server, lambda session: enqueue(session, failing.permanent, {}, run_at=later)
    )

    cancelled = server.client.post(f"/tasks/{task_id}/cancel").json()

    assert cancelled["status"] == "cancelled"
    assert happened(cancelled) == ["enqueued", "cancelled"]
    again = server.client.post(f"/tasks/{task_id}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")


def test_cancelling_a_running_task_takes_the_rest_of_its_chain_along(server: Process) -> None:
    first = enqueued(server, failing.waits, file="never")
    follows = in_database(
        server,
        lambda session: enqueue(session, failing.follows, {"journal": "none"}, after_id=first),
    )
    finished(server.client, f"/tasks/{first}", ("running",))

    assert server.client.post(f"/tasks/{first}/cancel").status_code == 202

    task = finished(server.client, f"/tasks/{first}", FINAL)
    assert (task["status"], task["error"]) == ("cancelled", None)
    assert finished(server.client, f"/tasks/{follows}", FINAL)["status"] == "cancelled"
    assert not (server.folder / "none").exists()
    again = server.client.post(f"/tasks/{first}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")


def test_many_running_tasks_are_cancelled_by_one_request(server: Process) -> None:
    ids = [enqueued(server, failing.waits, file="never") for _ in range(3)]
    for task_id in ids:
        finished(server.client, f"/tasks/{task_id}", ("running",))

    answer = server.client.post("/tasks/cancel", json={"status": "running", "kind": "test.waits"})

    assert answer.json() == {"changed": 3, "remaining": 0}
    for task_id in ids:
        assert finished(server.client, f"/tasks/{task_id}", FINAL)["status"] == "cancelled"
