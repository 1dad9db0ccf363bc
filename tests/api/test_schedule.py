"""Messages for later: due to the moment, called off, bounded, and no load before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from tests.api.asking import problem
from tests.servers import Served, finished, until

WANTED = {"recipient": "ada", "body": "Later."}


def schedule(client: httpx.Client, at: datetime) -> dict[str, Any]:
    answer = client.post("/notifications", json={**WANTED, "run_at": at.isoformat()})
    assert answer.status_code == 202, answer.text
    document: dict[str, Any] = answer.json()
    return document


def ahead(**time: float) -> datetime:
    return datetime.now(timezone(timedelta(hours=2))) + timedelta(**time)


def test_a_message_is_sent_at_its_time_and_not_before(make_service: Callable[..., Served]) -> None:
    # The clock that looks for due tasks is far too slow: it is the time itself that wakes.
    service = make_service(poll_seconds=60)
    at = ahead(seconds=2)

    message = schedule(service.client, at)

    assert datetime.fromisoformat(message["run_at"]) == at
    done = finished(service.client, f"/notifications/{message['id']}", ("sent", "failed"))
    task = service.task(message["task_id"])
    times = {event["kind"]: datetime.fromisoformat(event["at"]) for event in task["events"]}
    assert at <= times["claimed"]
    assert datetime.fromisoformat(task["run_at"]) == at
    late = datetime.fromisoformat(done["sent_at"]) - at
    assert timedelta(0) <= late < timedelta(seconds=1)


def test_what_has_passed_means_at_once(service: Served) -> None:
    for at in (ahead(seconds=-1), datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))):
        message = schedule(service.client, at)

        assert message["run_at"] is None
        finished(service.client, f"/notifications/{message['id']}", ("sent",))


def test_a_scheduled_message_can_be_called_off(service: Served) -> None:
    at = ahead(days=365)
    message = schedule(service.client, at)
    task = service.client.get(f"/tasks/{message['task_id']}").json()
    assert (task["status"], datetime.fromisoformat(task["run_at"])) == ("queued", at)

    answer = service.client.post(f"/tasks/{message['task_id']}/cancel")

    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    found = service.client.get(f"/notifications/{message['id']}").json()
    assert (found["status"], found["error"]["code"]) == ("failed", "cancelled")


@pytest.mark.parametrize(
    "run_at",
    [
        "2026-12-01T09:00:00",
        "tomorrow",
        "",
        1_900_000_000,
        "1900000000000000000000",
        "9999-12-31T23:59:59-14:00",
        "1900000000",
    ],
)
def test_what_is_no_time_of_the_year_to_come_is_refused(
    client: httpx.Client, run_at: object
) -> None:
    answer = client.post("/notifications", json={**WANTED, "run_at": run_at})

    assert problem(answer, 422, "invalid")["field"] == "body.run_at"


def test_the_year_to_come_is_the_bound(idle: Served) -> None:
    schedule(idle.client, ahead(days=365))
    wanted = {**WANTED, "run_at": ahead(days=367).isoformat()}

    answer = idle.client.post("/notifications", json=wanted)

    assert problem(answer, 422, "invalid")["field"] == "body.run_at"


def test_what_is_scheduled_is_no_load_and_has_a_bound_of_its_own(
    make_service: Callable[..., Served],
) -> None:
    client = make_service(engine="none", max_queued_tasks=2, max_scheduled_tasks=3).client
    for _ in range(3):
        schedule(client, ahead(hours=1))

    refused = client.post("/notifications", json={**WANTED, "run_at": ahead(hours=1).isoformat()})
    assert problem(refused, 503, "queue_full")["limit"] == 3
    assert int(refused.headers["retry-after"]) > 0

    until(lambda: client.post("/notifications", json=WANTED).status_code == 202, "room for now")
    text = client.get("/metrics").text
    assert 'pixmill_tasks{kind="notification.send",status="scheduled"} 3.0' in text
    assert 'pixmill_queue_depth{priority="normal"} 1.0' in text
    age = text.split('pixmill_task_oldest_age_seconds{priority="normal"} ', 1)[1].split("\n", 1)[0]
    assert 0 <= float(age) < 60
