"""Requests that a client sends again under a key: one does the work, all get its answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from service.models import new_id
from tests.api.asking import problem, upload
from tests.servers import Served, finished

WANTED = {"recipient": "ada", "body": "Once."}


def send(client: httpx.Client, key: str | None, path: str = "/notifications", **wanted: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(path, json=wanted or WANTED, headers=headers)


def test_a_message_sent_again_is_sent_once(service: Served) -> None:
    key = new_id()

    first = send(service.client, key).json()
    finished(service.client, f"/notifications/{first['id']}", ("sent",))
    again = send(service.client, key)

    assert again.status_code == 202
    assert (again.json()["id"], again.json()["task_id"]) == (first["id"], first["task_id"])
    assert again.json()["status"] == "sent", "long after the task has finished"
    assert send(service.client, None).json()["id"] != first["id"]


def test_of_many_at_the_same_moment_in_two_processes_one_does_the_work(
    make_service: Callable[..., Served],
) -> None:
    services = [make_service(engine="none") for _ in range(2)]
    for one in services:  # routes are made when they are first asked for, not in two threads
        problem(send(one.client, "no key"), 422, "invalid")
    with ThreadPoolExecutor(8) as threads:
        sending = [threads.submit(send, services[n % 2].client, "same") for n in range(24)]
        answers = [one.result() for one in sending]

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(services[0].client.get("/tasks").json()["items"]) == 1


def test_an_image_is_processed_once_under_one_key(idle: Served) -> None:
    image, other = upload(idle.client), upload(idle.client)
    path = f"/images/{image['id']}/process"

    first = send(idle.client, "k", path, presets=["small"]).json()
    between = send(idle.client, None, path, presets=["medium"]).json()
    again = send(idle.client, "k", path, presets=["small"])

    assert between["task_id"] != first["task_id"]
    assert again.json()["task_id"] == first["task_id"]
    assert again.headers["location"] == f"/images/{image['id']}"
    elsewhere = send(idle.client, "k", f"/images/{other['id']}/process", presets=["small"])
    problem(elsewhere, 422, "key_reused")


def test_a_key_that_came_with_another_request_is_refused(client: httpx.Client) -> None:
    key = new_id()
    send(client, key).raise_for_status()

    answer = send(client, key, recipient="ada", body="Twice.")

    assert problem(answer, 422, "key_reused")["field"] == "Idempotency-Key"


def test_a_request_that_was_refused_leaves_its_key_unused(client: httpx.Client) -> None:
    key = new_id()
    problem(
        send(client, key, recipient="a", body="x", channel="email"), 422, "channel_not_configured"
    )

    assert send(client, key).status_code == 202


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
def test_what_is_no_key_is_refused(client: httpx.Client, key: str) -> None:
    problem(send(client, key), 422, "invalid")
