"""Many tasks retried or cancelled by one request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.api import bulk
from tests.api.asking import problem, upload
from tests.servers import Served


@pytest.fixture
def idle(make_service: Callable[..., Served]) -> httpx.Client:
    """A service of its own that leaves its tasks alone."""
    return make_service(engine="none").client


def change(client: httpx.Client, verb: str, **wanted: Any) -> tuple[int, int]:
    answer = client.post(f"/tasks/{verb}", json=wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()["changed"], answer.json()["remaining"]


def statuses(client: httpx.Client) -> list[str]:
    return sorted(task["status"] for task in client.get("/tasks").json()["items"])


def test_what_fits_the_filter_is_cancelled_and_tried_again(idle: httpx.Client) -> None:
    images = [upload(idle) for _ in range(3)]
    urgent = upload(idle, priority="high")
    idle.post("/items/7").raise_for_status()

    assert change(idle, "cancel", status="queued", priority="normal", kind="image.process") == (
        3,
        0,
    )
    assert statuses(idle) == ["cancelled"] * 3 + ["queued"] * 2
    failed = idle.get(f"/images/{images[0]['id']}").json()
    assert failed["error"]["code"] == "cancelled", "whom it concerns is told"

    one = images[0]["id"]
    assert change(idle, "retry", status="cancelled", subject_type="image", subject_id=one) == (1, 0)
    assert change(idle, "retry", ids=[images[1]["task_id"], urgent["task_id"]]) == (1, 0)
    assert statuses(idle) == ["cancelled"] + ["queued"] * 4


def test_a_request_changes_a_bounded_number_and_says_how_many_are_left(
    idle: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MAX_TASKS", 3)
    monkeypatch.setattr(bulk, "BATCH", 2)
    for _ in range(7):
        idle.post("/items/7").raise_for_status()

    assert [change(idle, "cancel", status="queued") for _ in range(3)] == [(3, 4), (3, 1), (1, 0)]
    assert change(idle, "cancel", status="queued") == (0, 0)


def test_no_more_is_tried_again_than_the_queue_has_room_for(
    make_service: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BATCH", 2)
    wide = make_service(engine="none").client
    for _ in range(6):
        wide.post("/items/7").raise_for_status()
    change(wide, "cancel", status="queued")
    narrow = make_service(engine="none", max_queued_tasks=3).client

    assert change(narrow, "retry", status="cancelled") == (4, 2), "by batches, so a little over"

    full = narrow.post("/tasks/retry", json={"status": "cancelled"})
    assert problem(full, 503, "queue_full")["limit"] == 3
    left = narrow.get("/tasks", params={"status": "cancelled"}).json()["items"]
    problem(narrow.post(f"/tasks/{left[0]['id']}/retry"), 503, "queue_full")


@pytest.mark.parametrize(
    ("verb", "wanted", "field"),
    [
        ("retry", {}, "body"),
        ("cancel", {}, "body"),
        ("cancel", {"kind": "image.process"}, "body"),
        ("retry", {"status": "queued"}, "body.status"),
        ("cancel", {"status": "failed"}, "body.status"),
        ("cancel", {"ids": []}, "body.ids"),
        ("cancel", {"ids": ["x"] * 1001}, "body.ids"),
        ("cancel", {"ids": ["x" * 65]}, "body.ids.0"),
        ("cancel", {"status": "queued", "cursor": "x"}, "body.cursor"),
    ],
)
def test_what_could_mean_everything_is_refused(
    client: httpx.Client, verb: str, wanted: dict[str, Any], field: str
) -> None:
    answer = client.post(f"/tasks/{verb}", json=wanted)

    assert problem(answer, 422, "invalid")["field"] == field


def test_ids_that_are_not_there_change_nothing(client: httpx.Client) -> None:
    assert change(client, "cancel", ids=["nix"]) == (0, 0)
    assert change(client, "retry", ids=["nix"]) == (0, 0)
