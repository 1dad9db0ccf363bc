"""The tasks at a glance over HTTP: counts, failures, series, workers, filters, priorities."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import httpx
import pytest
from sqlalchemy.orm import Session

from service.errors import DeliveryRefused
from service.kinds import KINDS
from service.tasks import filters, rows
from service.tasks.rows import overview
from service.tasks.words import Failure
from tests.api.asking import pages, problem, upload
from tests.servers import Served

T = TypeVar("T")
KIND = "notification.send"


def write(served: Served, work: Callable[[Session], T]) -> T:
    return asyncio.run(served.parts.runtime.database.write(work))


@pytest.fixture
def idle(make_service: Callable[..., Served]) -> Served:
    """A service of its own that leaves its tasks alone."""
    return make_service(engine="none")


def notify(client: httpx.Client, **headers: str) -> str:
    answer = client.post(
        "/notifications", json={"recipient": "a", "body": "x", "channel": "file"}, headers=headers
    )
    task_id: str = answer.raise_for_status().json()["task_id"]
    return task_id


def begin(served: Served, task_id: str) -> rows.TaskRow:
    """Run a task, as a worker would."""
    claim = partial(rows.claim_one, task_id=task_id, worker="w-1", lease_seconds=30)
    task = write(served, claim)
    assert task
    return task


def fail(served: Served, task_id: str, code: str = DeliveryRefused.code, why: str = "No.") -> None:
    write(served, partial(rows.fail, task=begin(served, task_id), failure=Failure(code, why)))


def succeed(served: Served, task_id: str) -> None:
    write(served, partial(rows.succeed, task=begin(served, task_id), result=None))


def get(client: httpx.Client, path: str, **query: Any) -> Any:
    return client.get(path, params=query).raise_for_status().json()


def ids(client: httpx.Client, **query: Any) -> set[str]:
    return {task["id"] for task in get(client, "/tasks", **query)["items"]}


def test_tasks_are_counted_by_status_and_what_is_unfinished_by_kind(idle: Served) -> None:
    first, *_ = (notify(idle.client) for _ in range(3))
    idle.client.post("/items/7/process").raise_for_status()
    fail(idle, notify(idle.client))
    begin(idle, notify(idle.client))
    idle.client.post(f"/kinds/{KIND}/pause").raise_for_status()

    found = get(idle.client, "/tasks/overview")

    statuses = {one["status"]: one for one in found["statuses"]}
    assert {name: one["count"] for name, one in statuses.items()} == {
        "waiting": 1,
        "queued": 4,
        "running": 1,
        "retrying": 0,
        "succeeded": 0,
        "failed": 1,
        "cancelled": 0,
    }
    assert not any(one["capped"] for one in statuses.values())
    assert statuses["queued"]["oldest_at"] == get(idle.client, f"/tasks/{first}")["created_at"]
    assert statuses["succeeded"]["oldest_at"] is None
    kinds = {one["kind"]: one for one in found["kinds"]}
    assert list(kinds) == [kind.name for kind in KINDS]
    assert kinds[KIND] == {
        "kind": KIND,
        "queued": 3,
        "retrying": 0,
        "running": 1,
        "capped": False,
        "paused": True,
    }


def test_a_count_ends_somewhere(idle: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "MOST_COUNTED", 2)
    monkeypatch.setattr(overview, "_STATUSES", overview._statuses())
    monkeypatch.setattr(overview, "_KINDS", overview._kinds())
    for _ in range(3):
        fail(idle, notify(idle.client))
        notify(idle.client)

    found = get(idle.client, "/tasks/overview")

    statuses = {one["status"]: (one["count"], one["capped"]) for one in found["statuses"]}
    assert statuses["queued"] == statuses["failed"] == (2, True)
    assert statuses["cancelled"] == (0, False)
    assert all(one["capped"] for one in found["kinds"])
    (group,) = get(idle.client, "/tasks/failures")["items"]
    assert (group["count"], group["capped"]) == (2, True)


def test_failures_are_grouped_by_error_the_newest_first(idle: Served) -> None:
    refused = [notify(idle.client) for _ in range(2)]
    for task_id in refused:
        fail(idle, task_id, why=f"No {task_id}.")
    broken = upload(idle.client)["task_id"]
    fail(idle, broken, "broken_image")
    late = notify(idle.client)
    fail(idle, late, why="Late.")

    first, second = get(idle.client, "/tasks/failures")["items"]

    assert (first["kind"], first["code"], first["count"]) == (KIND, "delivery_refused", 3)
    assert (first["message"], first["task_id"]) == ("Late.", late)
    finished = [get(idle.client, f"/tasks/{one}")["finished_at"] for one in (refused[0], late)]
    assert [first["first_at"], first["last_at"]] == finished
    assert (second["code"], second["count"], second["task_id"]) == ("broken_image", 1, broken)

    again = {"status": "failed", "kind": first["kind"], "error_code": first["code"]}
    assert idle.client.post("/tasks/retry", json=again).json() == {"changed": 3, "remaining": 0}
    assert [one["code"] for one in get(idle.client, "/tasks/failures")["items"]] == ["broken_image"]


def test_a_series_shows_what_finished_by_kind(idle: Served) -> None:
    succeed(idle, notify(idle.client))
    fail(idle, notify(idle.client))
    cancelled = upload(idle.client)["task_id"]
    idle.client.post(f"/tasks/{cancelled}/cancel").raise_for_status()

    found = get(idle.client, "/tasks/series", minutes=10)

    assert found["step_seconds"] == 60
    sums: dict[str, list[int]] = {}
    for point in found["points"]:  # a minute may have passed meanwhile
        mine = sums.setdefault(point["kind"], [0, 0, 0])
        for number, outcome in enumerate(("succeeded", "failed", "cancelled")):
            mine[number] += point[outcome]
        has_times = bool(point["succeeded"] or point["failed"])
        for what in ("wait_seconds", "run_seconds"):
            assert (point[what]["mean"] is not None) == has_times
            assert (point[what]["mean"] or 0) <= (point[what]["max"] or 0) < 30
    assert sums == {KIND: [1, 1, 0], "image.process": [0, 0, 1]}


@pytest.mark.parametrize(("minutes", "step"), [(1, 60), (180, 60), (181, 120), (10_080, 3600)])
def test_a_longer_series_has_longer_steps(client: httpx.Client, minutes: int, step: int) -> None:
    found = get(client, "/tasks/series", minutes=minutes)

    assert found["step_seconds"] == step
    problem(client.get("/tasks/series", params={"minutes": 10_081}), 422, "invalid")


def test_a_worker_is_shown_with_what_it_runs(idle: Served) -> None:
    assert get(idle.client, "/workers") == {"items": []}
    tasks = [notify(idle.client) for _ in range(2)]
    for task_id in tasks:
        begin(idle, task_id)

    (worker,) = get(idle.client, "/workers")["items"]

    assert worker["worker"] == "w-1"
    assert [task["id"] for task in worker["tasks"]] == tasks
    assert all(task["started_at"] for task in worker["tasks"])


def test_a_list_is_narrowed_down_by_more_than_a_status(idle: Served) -> None:
    asked = notify(idle.client, **{"x-request-id": "asked-1"})
    down, refused = notify(idle.client), notify(idle.client)
    fail(idle, down, "delivery_failed", "The 100% server is Down.")
    fail(idle, refused)
    times = get(idle.client, f"/tasks/{refused}")

    assert ids(idle.client, request_id="asked-1") == {asked}
    assert ids(idle.client, error_code="delivery_failed") == {down}
    assert ids(idle.client, error="server is down") == {down}
    assert ids(idle.client, error="100%") == {down}
    assert ids(idle.client, error="1%s") == set()
    assert ids(idle.client, status=["failed", "queued"]) == {asked, down, refused}
    assert ids(idle.client, status=["failed", "cancelled"], error="no") == {refused}
    assert ids(idle.client, created_after=times["created_at"]) == {refused}
    assert ids(idle.client, created_before=times["created_at"]) == {asked, down}
    assert ids(idle.client, finished_after=times["finished_at"]) == {refused}


def test_a_search_begins_at_its_time_however_much_came_later(
    idle: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "MOST_LOOKED_AT", 2)
    monkeypatch.setattr(filters, "CLOCKS_DIFFER", timedelta(0))
    old, later, *_ = (notify(idle.client) for _ in range(5))
    until = get(idle.client, f"/tasks/{later}")["created_at"]

    assert ids(idle.client, created_before=until, priority="normal") == {old}
    assert ids(idle.client, priority="low") == set()
    assert get(idle.client, "/tasks", priority="low")["next"], "two were looked at"


def test_several_statuses_come_in_pages_newest_first(idle: Served) -> None:
    tasks = [notify(idle.client) for _ in range(5)]
    for task_id in tasks[::2]:
        fail(idle, task_id)

    found = pages(idle.client, "/tasks", status=["failed", "queued"], limit=2)

    assert [task["id"] for page in found for task in page] == tasks[::-1]


def test_images_are_listed_by_status(idle: Served) -> None:
    mine, other = upload(idle.client, item_id="7"), upload(idle.client)
    idle.client.post(f"/tasks/{other['task_id']}/cancel").raise_for_status()

    def found(**query: str) -> list[str]:
        return [image["id"] for image in get(idle.client, "/images", **query)["items"]]

    assert found(status="received") == [mine["id"]]
    assert found(status="failed") == [other["id"]]
    assert found(status="failed", item_id="7") == []
    problem(idle.client.get("/images?status=nix"), 422, "invalid")


def test_a_task_that_waits_can_be_made_more_urgent(idle: Served) -> None:
    task_id = notify(idle.client)

    answer = idle.client.post(f"/tasks/{task_id}/priority", json={"priority": "high"})

    assert (answer.status_code, answer.json()["priority"]) == (200, "high")
    last = answer.json()["events"][-1]
    assert (last["kind"], last["detail"]) == ("prioritised", {"from": "normal", "to": "high"})
    again = idle.client.post(f"/tasks/{task_id}/priority", json={"priority": "high"})
    assert again.json()["events"] == answer.json()["events"], "it was that already"
    begin(idle, task_id)
    refused = idle.client.post(f"/tasks/{task_id}/priority", json={"priority": "low"})
    assert "running" in problem(refused, 409, "wrong_state")["detail"]
    missing = idle.client.post("/tasks/nix/priority", json={"priority": "low"})
    problem(missing, 404, "not_found")


def test_many_tasks_can_be_made_more_urgent(idle: Served) -> None:
    tasks = {notify(idle.client) for _ in range(3)}
    idle.client.post("/items/7/process").raise_for_status()
    begin(idle, notify(idle.client))

    wanted = {"status": ["queued", "retrying"], "kind": KIND, "to": "high"}
    answer = idle.client.post("/tasks/priority", json=wanted)

    assert answer.json() == {"changed": 3, "remaining": 0}
    assert ids(idle.client, priority="high") == tasks
    assert idle.client.post("/tasks/priority", json=wanted).json()["changed"] == 0
    running = idle.client.post("/tasks/priority", json={"status": "running", "to": "high"})
    assert problem(running, 422, "invalid")["field"] == "body.status"


def test_a_chain_is_named_by_each_of_its_tasks(idle: Served) -> None:
    first, second = idle.client.post("/items/7/process").json()["task_ids"]
    chain = [
        {"id": first, "kind": "item.statistics", "status": "queued"},
        {"id": second, "kind": "item.notify_admin", "status": "waiting"},
    ]

    assert [get(idle.client, f"/tasks/{one}")["chain"] for one in (first, second)] == [chain] * 2
    assert get(idle.client, f"/tasks/{notify(idle.client)}")["chain"] == []
