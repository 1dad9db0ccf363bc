"""Images whose work went partly wrong say so, and recover."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.asking import upload
from tests.servers import Served

CARD = {"variants": [{"name": "card", "operations": [{"op": "grayscale"}], "format": "png"}]}


def test_an_upload_without_presets_is_ready_without_variants(service: Served) -> None:
    document = upload(service.client, preset="none")

    done = service.image(document["id"])

    assert (done["status"], done["variants"], done["error"]) == ("ready", [], None)


def test_cancelling_one_task_fails_its_own_variants_only(
    make_service: Callable[..., Served],
) -> None:
    service = make_service(engine="none")
    image = upload(service.client)
    more = service.client.post(f"/images/{image['id']}/process", json={"pipeline": CARD}).json()

    service.client.post(f"/tasks/{more['task_id']}/cancel").raise_for_status()

    found = service.client.get(f"/images/{image['id']}").json()
    assert statuses(found) == {
        "thumbnail": "pending",
        "small": "pending",
        "medium": "pending",
        "large": "pending",
        "card": "failed",
    }


def test_a_failed_image_always_says_why(make_service: Callable[..., Served]) -> None:
    waiting = make_service(engine="none")
    image = upload(waiting.client)
    more = waiting.client.post(f"/images/{image['id']}/process", json={"pipeline": CARD}).json()
    waiting.client.post(f"/tasks/{more['task_id']}/cancel").raise_for_status()
    waiting.stop()

    service = make_service()
    service.task(image["task_id"])

    found = service.image(image["id"])
    assert (found["status"], found["error"]["code"]) == ("failed", "cancelled")
    assert statuses(found)["large"] == "ready"


def test_making_the_failed_variant_again_heals_the_image(
    make_service: Callable[..., Served],
) -> None:
    waiting = make_service(engine="none")
    image = upload(waiting.client)
    more = waiting.client.post(f"/images/{image['id']}/process", json={"pipeline": CARD}).json()
    waiting.client.post(f"/tasks/{more['task_id']}/cancel").raise_for_status()
    waiting.stop()
    service = make_service()
    service.image(image["id"])

    again = service.client.post(f"/images/{image['id']}/process", json={"pipeline": CARD}).json()
    service.task(again["task_id"])

    found = service.image(image["id"])
    assert (found["status"], found["error"]) == ("ready", None)


def test_a_client_may_wait_for_the_end_instead_of_asking_again(service: Served) -> None:
    document = upload(service.client)

    answer = service.client.get(f"/images/{document['id']}", headers={"Prefer": "wait=30"})

    assert answer.json()["status"] == "ready"


def test_waiting_ends_when_the_client_said(make_service: Callable[..., Served]) -> None:
    service = make_service(engine="none")
    document = upload(service.client)
    began = time.monotonic()

    answer = service.client.get(f"/images/{document['id']}", headers={"Prefer": "wait=1"})

    assert answer.json()["status"] == "received"
    assert 1 <= time.monotonic() - began < 10


@pytest.mark.parametrize("preference", ["wait=x", "wait=-1", "respond-async", "wait=" + "9" * 40])
def test_a_preference_that_says_nothing_is_passed_over(service: Served, preference: str) -> None:
    document = upload(service.client)

    answer = service.client.get(f"/images/{document['id']}", headers={"Prefer": preference})

    assert answer.status_code == 200


def statuses(image: dict[str, Any]) -> dict[str, str]:
    return {variant["name"]: variant["status"] for variant in image["variants"]}
