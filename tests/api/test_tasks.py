"""Tasks over HTTP: lists, documents, cancel, retry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.asking import JPEG, pages, problem, upload
from tests.servers import Served, until


@pytest.fixture
def filled(make_service: Callable[..., Served]) -> httpx.Client:
    """A service with tasks of several kinds, priorities and statuses, none of which runs."""
    client = make_service(engine="none").client
    upload(client, item_id="7", priority="high")
    upload(client, priority="low")
    client.post("/items/7/process").raise_for_status()
    client.post("/users?email=ada@example.com").raise_for_status()
    cancelled = upload(client)["task_id"]
    client.post(f"/tasks/{cancelled}/cancel").raise_for_status()
    return client


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 6),
        ({"status": "queued"}, 4),
        ({"status": "waiting"}, 1),
        ({"status": "cancelled"}, 1),
        ({"status": "running"}, 0),
        ({"kind": "image.process"}, 3),
        ({"kind": "nix"}, 0),
        ({"priority": "high"}, 1),
        ({"priority": "normal"}, 4),
        ({"subject_type": "item", "subject_id": "7"}, 2),
        ({"subject_type": "image"}, 3),
        ({"kind": "image.process", "status": "queued", "priority": "low"}, 1),
    ],
)
def test_a_list_shows_the_wanted_tasks(
    filled: httpx.Client, query: dict[str, str], count: int
) -> None:
    items = filled.get("/tasks", params=query).json()["items"]

    assert len(items) == count
    plain = {name: value for name, value in query.items() if not name.startswith("subject")}
    assert all(plain.items() <= item.items() for item in items)


def test_a_list_comes_in_pages_newest_first_without_timelines(filled: httpx.Client) -> None:
    found = pages(filled, "/tasks", limit=4)

    ids = [task["id"] for page in found for task in page]
    assert [len(page) for page in found] == [4, 2]
    assert ids == sorted(set(ids), reverse=True)
    assert not [task for page in found for task in page if "events" in task]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "done"},
        {"priority": "urgent"},
        {"limit": 0},
        {"limit": 101},
        {"cursor": "x" * 65},
        {"kind": "x" * 65},
        {"created_after": "yesterday"},
        {"created_before": "2026-01-01T00:00:00"},
        {"finished_after": "0001-01-01T00:00:00Z"},
        {"error": ""},
        {"error": "x" * 201},
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(
    client: httpx.Client, query: dict[str, Any]
) -> None:
    answer = client.get("/tasks", params=query)

    assert problem(answer, 422, "invalid")["field"] == f"query.{next(iter(query))}"


def test_a_document_tells_the_whole_story(service: Served) -> None:
    answer = service.client.post(
        "/images",
        files={"file": JPEG},
        headers={"x-request-id": "story-1"},
    )
    image = answer.json()

    task = service.task(image["task_id"])

    assert (task["kind"], task["status"]) == ("image.process", "succeeded")
    assert (task["attempt"], task["crashes"], task["progress"]) == (1, 0, 1)
    assert task["subject"] == {"type": "image", "id": image["id"]}
    assert task["request_id"] == "story-1"
    assert task["result"]["variants"].keys() == {"thumbnail", "small", "medium", "large"}
    assert task["created_at"] <= task["started_at"] <= task["finished_at"]
    assert [event["kind"] for event in task["events"]] == ["enqueued", "claimed", "succeeded"]
    assert [event["at"] for event in task["events"]] == sorted(
        event["at"] for event in task["events"]
    )


def test_a_task_that_has_not_begun_can_be_cancelled(idle: Served) -> None:
    image = upload(idle.client)

    answer = idle.client.post(f"/tasks/{image['task_id']}/cancel")

    assert answer.status_code == 200
    assert answer.json()["status"] == "cancelled"
    assert answer.json()["events"][-1]["kind"] == "cancelled"
    after = idle.client.get(f"/images/{image['id']}").json()
    assert (after["status"], after["error"]["code"]) == ("failed", "cancelled")


def test_cancelling_the_first_of_a_chain_cancels_the_rest(idle: Served) -> None:
    first, second = idle.client.post("/items/7/process").json()["task_ids"]

    idle.client.post(f"/tasks/{first}/cancel").raise_for_status()
    assert idle.client.get(f"/tasks/{second}").json()["status"] == "cancelled"

    problem(idle.client.post(f"/tasks/{second}/retry"), 409, "wrong_state")
    idle.client.post(f"/tasks/{first}/retry").raise_for_status()
    assert idle.client.get(f"/tasks/{second}").json()["status"] == "waiting"


def test_a_cancelled_task_can_be_retried_and_is_carried_out(
    make_service: Callable[..., Served],
) -> None:
    idle = make_service(engine="none")
    task_id = idle.client.post("/items/7").json()["task_id"]
    idle.client.post(f"/tasks/{task_id}/cancel").raise_for_status()
    working = make_service()

    answer = working.client.post(f"/tasks/{task_id}/retry")

    assert (answer.status_code, answer.json()["status"]) == (200, "queued")
    assert working.task(task_id)["status"] == "succeeded"


def test_what_has_ended_well_can_be_neither_cancelled_nor_retried(service: Served) -> None:
    task_id = service.client.post("/items/7").json()["task_id"]
    service.task(task_id)

    for verb in ("cancel", "retry"):
        answer = service.client.post(f"/tasks/{task_id}/{verb}")
        assert "succeeded" in problem(answer, 409, "wrong_state")["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/tasks/nix"), ("POST", "/tasks/nix/retry"), ("POST", "/tasks/nix/cancel")],
)
def test_a_task_that_is_not_there_is_not_found(
    client: httpx.Client, method: str, path: str
) -> None:
    problem(client.request(method, path), 404, "not_found")


def test_an_id_that_is_too_long_is_refused(client: httpx.Client) -> None:
    problem(client.get(f"/tasks/{'x' * 65}"), 422, "invalid")


def test_several_processes_see_each_others_queue(make_service: Callable[..., Served]) -> None:
    one, other = (make_service(engine="none", max_queued_tasks=3).client for _ in range(2))
    assert other.post("/items/7").status_code == 202  # so it has looked, and trusts its look
    for _ in range(2):
        one.post("/items/7").raise_for_status()

    refused = until(
        lambda: answer if (answer := other.post("/items/7")).status_code == 503 else None,
        "a refusal",
        patience=5,
    )

    assert refused is not None
    problem(refused, 503, "queue_full")
    queued = other.get("/tasks", params={"status": "queued"}).json()["items"]
    assert len(queued) <= 3 + 3, "over the limit by no more than what one let in by itself"


def test_a_task_shows_its_rounds_and_the_error_of_each_attempt(
    make_service: Callable[..., Served], tmp_path: Path
) -> None:
    (tmp_path / "notifications.jsonl").mkdir()  # a folder takes no lines
    idle = make_service(engine="none")
    document = idle.client.post("/notifications", json={"recipient": "a", "body": "x"}).json()
    idle.stop()
    service = make_service()
    path = f"/tasks/{document['task_id']}"
    kind = "/kinds/notification.send"
    for _ in range(2):
        until(lambda: service.client.get(path).json()["attempt"] >= 1, "a first attempt")
        # Its next attempt may be due at any moment, and must not come in between.
        service.client.post(f"{kind}/pause").raise_for_status()
        until(lambda: service.client.get(path).json()["status"] == "retrying", "a failed attempt")
        service.client.post(f"{path}/cancel").raise_for_status()
        service.client.post(f"{path}/retry").raise_for_status()
        service.client.post(f"{kind}/resume").raise_for_status()
    until(lambda: service.client.get(path).json()["attempt"] >= 1, "the third round")
    (tmp_path / "notifications.jsonl").rmdir()

    task = service.task(document["task_id"])

    assert task["status"] == "succeeded"
    told = [event["kind"] for event in task["events"]]
    rounds = " ".join(told).split(" retried ")
    assert len(rounds) == 3
    assert rounds[0].startswith("enqueued claimed attempt_failed ")
    assert rounds[1].startswith("claimed attempt_failed ")
    assert all(one.endswith(" attempt_failed cancelled") for one in rounds[:2])
    failed = [event["detail"] for event in task["events"] if event["kind"] == "attempt_failed"]
    first = [one for one in failed if one["attempt"] == 1]
    assert len(first) >= 2, "counted anew in each round"
    assert {one["code"] for one in failed} == {"delivery_failed"}
    assert all("notifications file" in one["message"] for one in failed)
