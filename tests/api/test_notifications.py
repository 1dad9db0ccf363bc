"""Notifications: which channel takes them, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.models import new_id
from tests.api.asking import notices, pages, problem, tasks_about
from tests.contract.receivers import Mailbox, hook_server, mail_server
from tests.servers import Served, finished

SECRET = "whsec_" + "c2VjcmV0" * 4


def notify(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    wanted = {"recipient": "ada@example.com", "subject": "Hi", "body": "Text", **changes}
    answer = client.post("/notifications", json=wanted)
    assert answer.status_code == 202, answer.text
    document: dict[str, Any] = answer.json()
    return document


def sent(served: Served, notification_id: str) -> dict[str, Any]:
    return finished(served.client, f"/notifications/{notification_id}", ("sent", "failed"))


def test_without_mail_a_message_goes_to_the_file(service: Served) -> None:
    body = f"Grüße\n{new_id()}"

    accepted = notify(service.client, body=body)

    assert (accepted["channel"], accepted["status"]) == ("file", "queued")
    document = sent(service, accepted["id"])
    assert (document["status"], document["error"]) == ("sent", None)
    assert document["sent_at"] is not None
    (notice,) = [one for one in notices(service) if one["body"] == body]
    assert notice["id"] == accepted["id"]
    (task,) = tasks_about(service, "notification", accepted["id"])
    assert task["id"] == accepted["task_id"]


def test_a_message_may_be_urgent(idle: Served) -> None:
    accepted = notify(idle.client, priority="high")

    assert idle.client.get(f"/tasks/{accepted['task_id']}").json()["priority"] == "high"


@pytest.mark.parametrize("channel", ["email", "webhook"])
def test_a_channel_that_is_not_configured_is_refused(client: httpx.Client, channel: str) -> None:
    wanted = {"recipient": "ada@example.com", "body": "x", "channel": channel}

    answer = client.post("/notifications", json=wanted)

    assert problem(answer, 422, "channel_not_configured")["field"] == "channel"


@pytest.mark.parametrize(
    "changes",
    [
        {"recipient": ""},
        {"recipient": "x" * 321},
        {"body": ""},
        {"body": "x" * 20_001},
        {"subject": "x" * 201},
        {"channel": "pigeon"},
        {"priority": "urgent"},
        {"unknown": 1},
        {"body": None},
    ],
)
def test_what_is_no_message_is_refused(client: httpx.Client, changes: dict[str, Any]) -> None:
    wanted = {"recipient": "a", "body": "x", **changes}

    answer = client.post("/notifications", json=wanted)

    assert problem(answer, 422, "invalid")["field"] == f"body.{next(iter(changes))}"


def test_texts_at_their_limits_are_taken(idle: Served) -> None:
    notify(idle.client, recipient="x" * 320, subject="x" * 200, body="x" * 20_000)


def test_a_message_that_is_not_there_is_not_found(client: httpx.Client) -> None:
    problem(client.get("/notifications/nix"), 404, "not_found")


def test_messages_are_listed_in_pages_newest_first(make_service: Callable[..., Served]) -> None:
    client = make_service(engine="none").client
    ids = [notify(client)["id"] for _ in range(5)]

    found = pages(client, "/notifications", limit=2)

    assert [len(page) for page in found] == [2, 2, 1]
    assert [one["id"] for page in found for one in page] == ids[::-1]


def test_with_mail_a_welcome_and_the_admins_notice_arrive(
    make_service: Callable[..., Served],
) -> None:
    with mail_server() as mailbox:
        served = make_service(smtp_url=mailbox.url, admin_email="admin@example.com")

        user = served.client.post("/users", json={"email": "ada@example.com"}).json()
        served.task(user["task_id"])
        (welcome,) = mailbox.mails
        assert (welcome["To"], welcome["Subject"]) == ("ada@example.com", "Welcome")
        assert mailbox.recipients == [["ada@example.com"]]

        chain = served.client.post("/items/7/process").json()["task_ids"]
        served.task(chain[1])
        (notice,) = served.client.get("/notifications", params={"limit": 1}).json()["items"]
        assert (notice["channel"], sent(served, notice["id"])["status"]) == ("email", "sent")
        assert mailbox.recipients[1:] == [["admin@example.com"]]


def test_mail_needs_an_address(make_service: Callable[..., Served]) -> None:
    with mail_server() as mailbox:
        served = make_service(smtp_url=mailbox.url)
        wanted = {"recipient": "a@example.com, b@example.com", "body": "x"}

        answer = served.client.post("/notifications", json=wanted)

    assert problem(answer, 422, "invalid")["field"] == "recipient"


def test_mail_that_is_refused_for_good_fails_at_its_first_attempt(
    make_service: Callable[..., Served],
) -> None:
    with mail_server(Mailbox(rcpt="550 no such user")) as mailbox:
        served = make_service(smtp_url=mailbox.url)
        accepted = notify(served.client)

        document = sent(served, accepted["id"])

    assert (document["status"], document["sent_at"]) == ("failed", None)
    assert "no such user" in document["error"]["message"]
    task = served.task(accepted["task_id"])
    assert (task["attempt"], task["error"]["code"]) == (1, "delivery_refused")


def test_a_webhook_arrives_with_the_messages_id(make_service: Callable[..., Served]) -> None:
    with hook_server() as hook:
        served = make_service(webhook_url=hook.url, webhook_secret=SECRET)
        accepted = notify(served.client, channel="webhook")

        assert sent(served, accepted["id"])["status"] == "sent"

    ((headers, _),) = hook.received
    assert headers["webhook-id"] == accepted["id"]


def test_a_webhook_that_fails_for_now_is_tried_again(make_service: Callable[..., Served]) -> None:
    with hook_server(status=503) as hook:
        served = make_service(webhook_url=hook.url, webhook_secret=SECRET)
        accepted = notify(served.client, channel="webhook")

        task = finished(served.client, f"/tasks/{accepted['task_id']}", ("retrying",))

    assert task["error"]["code"] == "delivery_failed"
    assert served.client.get(f"/notifications/{accepted['id']}").json()["status"] == "queued"
