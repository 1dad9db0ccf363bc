"""The tutorial's own requests, exactly as a client of the tutorial makes them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from service.models import new_id
from tests.api.asking import JPEG
from tests.servers import Served

REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "send": ("/send-notification/ada@example.com", {}),
    "send-message": ("/send-notification/ada@example.com", {"json": {"message": "Hello"}}),
    "item": ("/items/42?action=create", {}),
    "item-process": ("/items/42/process", {}),
    "user": ("/users?email={unique}@example.com", {}),
    "upload": ("/upload-image", {"files": {"file": ("a.jpg", JPEG, "image/jpeg")}}),
    "process": ("/process/42", {}),
}


@pytest.mark.parametrize("slash", ["", "/"], ids=["plain", "slash"])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_tutorials_request_is_answered_at_once_and_carried_out(
    service: Served, name: str, slash: str
) -> None:
    path, body = REQUESTS[name]
    path, question, query = path.format(unique=new_id()).partition("?")

    answer = service.client.post(f"{path}{slash}{question}{query}", **body)

    assert answer.status_code in (201, 202)  # no redirect, which would lose the body
    document = answer.json()
    assert document["message"]
    assert service.task(document["task_id"])["status"] == "succeeded"


@pytest.mark.parametrize("slash", ["", "/"], ids=["plain", "slash"])
def test_the_other_paths_take_a_trailing_slash_as_well(client: httpx.Client, slash: str) -> None:
    for path in ("/images", "/users", "/items", "/tasks", "/notifications", "/healthz"):
        assert client.get(path + slash).status_code == 200


def test_the_message_of_a_notification_is_the_clients(service: Served) -> None:
    path = "/send-notification/ada@example.com"

    plain = service.client.post(path).json()
    own = service.client.post(path, json={"message": "Hello"}).json()

    assert plain["message"] == own["message"] == "Notification sent in the background."
    assert (plain["body"], own["body"]) == ("some notification", "Hello")
    assert plain["recipient"] == "ada@example.com"


@pytest.mark.parametrize("path", ["/send-notification/nobody", "/users?email=nobody"])
def test_what_is_no_address_is_refused(client: httpx.Client, path: str) -> None:
    answer = client.post(path)

    assert answer.status_code == 422
    assert "email" in answer.json()["field"]


def test_of_several_files_the_first_is_answered(service: Served) -> None:
    files = [("file", ("first.jpg", JPEG)), ("file", ("second.jpg", JPEG))]

    document = service.client.post("/upload-image/", files=files).json()

    assert document["filename"] == "first.jpg"
    assert "first.jpg" in document["message"]
