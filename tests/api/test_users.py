"""Users: a row at once, a welcome afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.models import new_id
from tests.api.asking import notices, pages, problem, tasks_about
from tests.servers import Served


def address() -> str:
    """An address that no other test has used."""
    return f"{new_id()}@example.com"


def test_a_user_is_created_and_welcomed(service: Served) -> None:
    email = address()

    answer = service.client.post("/users", json={"email": email, "name": "Ada"})

    assert answer.status_code == 201
    user = answer.json()
    assert (user["email"], user["name"]) == (email, "Ada")
    assert user["message"]
    task = service.task(user["task_id"])
    assert (task["kind"], task["status"]) == ("notification.send", "succeeded")
    assert [one["id"] for one in tasks_about(service, "user", user["id"])] == [task["id"]]
    (notice,) = [one for one in notices(service) if one["recipient"] == email]
    assert notice["subject"] == "Welcome"
    assert "Ada" in notice["body"]
    assert task["result"] == {"channel": "file", "notification_id": notice["id"]}


def test_a_user_can_be_looked_up(client: httpx.Client) -> None:
    user = client.post("/users", json={"email": address()}).json()

    found = client.get(f"/users/{user['id']}").json()

    assert found == {name: user[name] for name in ("id", "email", "name", "created_at")}


def test_an_address_may_stand_in_the_query(client: httpx.Client) -> None:
    email = address()

    answer = client.post("/users", params={"email": email})

    assert (answer.status_code, answer.json()["email"]) == (201, email)


def test_an_address_can_be_taken_only_once(client: httpx.Client) -> None:
    email = address()
    client.post("/users", json={"email": email}).raise_for_status()

    answer = client.post("/users", json={"email": email})

    assert problem(answer, 409, "already_exists")["field"] == "email"


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"json": {}},
        {"json": {"email": "nobody"}},
        {"json": {"email": "a@b\r\nBcc: c@d.example"}},
        {"json": {"email": "a@example.com", "admin": True}},
        {"json": {"email": "a@example.com", "name": "x" * 201}},
        {"json": {"email": "a" * 321 + "@example.com"}},
        {"params": {"email": "nobody"}},
        {"params": {"email": ""}},
        {"content": b"{"},
    ],
)
def test_what_is_no_user_is_refused(client: httpx.Client, request_: dict[str, Any]) -> None:
    answer = client.post("/users", **request_)

    assert problem(answer, 422, "invalid")["field"]


def test_a_user_that_is_not_there_is_not_found(client: httpx.Client) -> None:
    problem(client.get("/users/nix"), 404, "not_found")


def test_users_are_listed_in_pages_newest_first(make_service: Callable[..., Served]) -> None:
    client = make_service(engine="none").client
    emails = [f"u{n}@example.com" for n in range(5)]
    for email in emails:
        client.post("/users", json={"email": email}).raise_for_status()

    found = pages(client, "/users", limit=2)

    assert [len(page) for page in found] == [2, 2, 1]
    assert [user["email"] for page in found for user in page] == emails[::-1]
