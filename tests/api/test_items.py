"""Items: actions, the ordered chain, and working all images of an item."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.models import new_id
from tests.api.asking import notices, pages, problem, tasks_about, upload
from tests.pictures import picture_bytes, truncated
from tests.servers import Served, finished, until


@pytest.fixture
def item_id() -> str:
    return f"item-{new_id()}"


def test_an_action_brings_the_item_into_being_and_is_carried_out(
    service: Served, item_id: str
) -> None:
    answer = service.client.post(f"/items/{item_id}", params={"action": "archive"})

    assert answer.status_code == 202
    accepted = answer.json()
    assert (accepted["id"], accepted["last_action"]) == (item_id, None)
    assert accepted["task_ids"] == [accepted["task_id"]]
    task = service.task(accepted["task_id"])
    assert (task["kind"], task["status"]) == ("item.action", "succeeded")
    assert task["subject"] == {"type": "item", "id": item_id}
    item = service.client.get(f"/items/{item_id}").json()
    assert item["last_action"] == "archive"
    assert item["last_action_at"] is not None
    until(lambda: [one for one in notices(service) if item_id in one["body"]], "the log's line")
    caused = [one["kind"] for one in tasks_about(service, "item", item_id)]
    assert caused == ["notification.send", "item.action"]


def test_the_chain_counts_first_and_tells_the_admin_then(service: Served, item_id: str) -> None:
    pictures = [picture_bytes(size=(300, 200)), picture_bytes(picture_format="png")]
    images = [service.image(upload(service.client, one, item_id=item_id)["id"]) for one in pictures]

    answer = service.client.post(f"/items/{item_id}/process")

    assert answer.status_code == 202
    counting, telling = (service.task(task_id) for task_id in answer.json()["task_ids"])
    assert [counting["kind"], telling["kind"]] == ["item.statistics", "item.notify_admin"]
    assert telling["after_id"] == counting["id"]
    lines = {event["kind"]: event["at"] for event in telling["events"]}
    assert list(lines) == ["enqueued", "released", "claimed", "succeeded"]
    assert counting["finished_at"] <= lines["released"] <= lines["claimed"]

    item = service.client.get(f"/items/{item_id}").json()
    made = [variant["size_bytes"] for image in images for variant in image["variants"]]
    assert item["image_count"] == 2
    assert item["variant_count"] == len(made) == 8
    assert item["total_bytes"] == sum(made) + sum(image["size_bytes"] for image in images)
    assert item["last_processed_at"] is not None

    def told() -> list[dict[str, Any]]:
        subject = f"Item {item_id} was processed"
        return [one for one in notices(service) if one["subject"] == subject]

    (notice,) = until(told, "the admin's notice")
    assert notice["recipient"] == "admin"
    assert "2 images with 8 variants" in notice["body"]
    assert tasks_about(service, "item", item_id)[0]["kind"] == "notification.send"


def test_a_deleted_image_is_counted_no_more(service: Served, item_id: str) -> None:
    image = service.image(upload(service.client, item_id=item_id)["id"])
    path = f"/items/{item_id}"
    until(lambda: service.client.get(path).json()["image_count"] == 1, "the count")

    service.client.delete(f"/images/{image['id']}").raise_for_status()

    until(lambda: service.client.get(path).json()["image_count"] == 0, "the count")
    assert service.client.get(path).json()["total_bytes"] == 0


def test_all_images_of_an_item_are_made_anew(service: Served, item_id: str) -> None:
    image = service.image(upload(service.client, item_id=item_id)["id"])

    answer = service.client.post(f"/process/{item_id}")

    assert answer.status_code == 202
    task = service.task(answer.json()["task_id"])
    assert (task["kind"], task["status"], task["progress"]) == ("item.process", "succeeded", 1)
    assert task["result"] == {"images": 1}
    assert service.client.get(f"/images/{image['id']}").json()["status"] == "ready"


def test_an_item_without_images_is_processed_in_no_time(service: Served, item_id: str) -> None:
    accepted = service.client.post(f"/process/{item_id}").json()

    assert service.task(accepted["task_id"])["result"] == {"images": 0}


def test_a_broken_image_is_stored_on_the_task_which_is_tried_again(
    service: Served, item_id: str
) -> None:
    good = service.image(upload(service.client, item_id=item_id)["id"])
    broken = service.image(upload(service.client, truncated(picture_bytes(size=(400, 300))),
                                  item_id=item_id)["id"])  # fmt: skip

    accepted = service.client.post(f"/process/{item_id}").json()
    path = f"/tasks/{accepted['task_id']}"

    def tried() -> bool:
        events = service.client.get(path).json()["events"]
        return "attempt_failed" in [event["kind"] for event in events]

    until(tried, "the first failure")
    task = service.client.get(path).json()
    assert task["status"] in ("retrying", "running", "failed")
    assert task["error"]["code"] == "some_failed"
    assert f"{broken['id']}: broken_image" in task["error"]["message"]
    assert "1 of 2" in task["error"]["message"]
    assert "SomeFailed" in task["error"]["traceback"]
    assert service.client.get(f"/images/{broken['id']}").json()["error"]["code"] == "broken_image"
    assert finished(service.client, f"/images/{good['id']}", ("ready",))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/items/-x"),
        ("POST", f"/items/{'x' * 65}"),
        ("POST", "/items/a b"),
        ("POST", "/items/7?action=Delete"),
        ("POST", f"/items/7?action={'x' * 33}"),
        ("POST", "/items/-x/process"),
        ("POST", "/process/-x"),
        ("GET", "/items/-x"),
    ],
)
def test_what_is_no_item_or_action_is_refused(client: httpx.Client, method: str, path: str) -> None:
    assert problem(client.request(method, path), 422, "invalid")["field"]


def test_an_item_that_is_not_there_is_not_found(client: httpx.Client) -> None:
    problem(client.get("/items/nix"), 404, "not_found")


def test_items_are_listed_in_pages_by_id(make_service: Callable[..., Served]) -> None:
    client = make_service(engine="none").client
    for item_id in ("c", "a", "e", "b", "d"):
        client.post(f"/items/{item_id}").raise_for_status()

    found = pages(client, "/items", limit=2)

    assert [[item["id"] for item in page] for page in found] == [["a", "b"], ["c", "d"], ["e"]]
