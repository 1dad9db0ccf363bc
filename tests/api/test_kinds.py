"""Kinds over HTTP: what they are, and pausing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.kinds import KINDS
from tests.api.asking import problem
from tests.servers import Served, finished, until

KIND = "notification.send"


def kind(client: httpx.Client, name: str = KIND) -> dict[str, Any]:
    (found,) = [one for one in client.get("/kinds").json() if one["name"] == name]
    assert isinstance(found, dict)
    return found


def notify(client: httpx.Client) -> dict[str, Any]:
    answer = client.post("/notifications", json={"recipient": "a", "body": "x"})
    document: dict[str, Any] = answer.raise_for_status().json()
    return document


def test_every_kind_is_listed_with_its_policy(make_service: Callable[..., Served]) -> None:
    client = make_service(engine="none", time_limits="image.process=7").client
    cancelled = notify(client)["task_id"]
    client.post(f"/tasks/{cancelled}/cancel").raise_for_status()
    notify(client)

    assert [one["name"] for one in client.get("/kinds").json()] == [one.name for one in KINDS]
    assert kind(client) == {
        "name": KIND,
        "priority": "normal",
        "lane": "light",
        "retry": {"max_attempts": 6, "base_seconds": 2, "cap_seconds": 600},
        "time_limit_seconds": 60,
        "paused": False,
        "counts": {"cancelled": 1, "queued": 1},
        "capped": False,
    }
    assert kind(client, "image.process")["time_limit_seconds"] == 7


def test_a_paused_kind_waits_in_every_process_until_it_is_resumed(
    make_service: Callable[..., Served],
) -> None:
    one, other = make_service(), make_service()

    answer = one.client.post(f"/kinds/{KIND}/pause")

    assert (answer.status_code, answer.json()["paused"]) == (200, True)
    waiting = notify(other.client)
    # What came later and is not paused is through: so the engines have passed over it.
    for served in (one, other):
        done = served.client.post("/items/7/process").json()["task_ids"][0]
        assert served.task(done)["status"] == "succeeded"
    assert other.client.get(f"/tasks/{waiting['task_id']}").json()["status"] == "queued"
    assert f'pixmill_task_kind_paused{{kind="{KIND}"}} 1.0' in other.client.get("/metrics").text

    answer = other.client.post(f"/kinds/{KIND}/resume")

    assert answer.json()["paused"] is False
    assert finished(one.client, f"/notifications/{waiting['id']}", ("sent",))
    until(lambda: f'paused{{kind="{KIND}"}} 0.0' in other.client.get("/metrics").text, "the gauge")


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_kind_that_is_not_there_is_not_found(client: httpx.Client, verb: str) -> None:
    problem(client.post(f"/kinds/nix/{verb}"), 404, "not_found")
