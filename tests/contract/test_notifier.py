"""What every notifier promises, on each of them, with a real receiver at the other end."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from service.errors import DeliveryFailed, DeliveryRefused
from service.notifiers import Message, Notifier
from service.notifiers.file import FileNotifier
from service.notifiers.smtp import SmtpNotifier
from service.notifiers.webhook import WebhookNotifier
from tests.contract.receivers import Hook, Mailbox, hook_server, mail_server

pytestmark = pytest.mark.anyio

SECRET = "whsec_" + base64.b64encode(b"twenty-four secret bytes").decode()
SENDER = "pixmill@example.com"


@dataclass(frozen=True)
class Channel:
    """A notifier, and a look at what has arrived at its other end."""

    notifier: Notifier
    arrived: Callable[[], list[Message]]


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as mailbox:
        yield mailbox


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hook_server() as hook:
        yield hook


@pytest.fixture
async def webhook(hook: Hook, anyio_backend: str) -> AsyncIterator[WebhookNotifier]:
    notifier = WebhookNotifier(hook.url, SECRET)
    yield notifier
    await notifier.close()


@pytest.fixture(params=["file", "email", "webhook"])
def channel(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    mailbox: Mailbox,
    hook: Hook,
    webhook: WebhookNotifier,
) -> Channel:
    path = tmp_path / "below" / "notifications.jsonl"
    channels = {
        "file": Channel(FileNotifier(path), lambda: _in_file(path)),
        "email": Channel(
            SmtpNotifier(mailbox.url, SENDER), lambda: [_in_mail(mail) for mail in mailbox.mails]
        ),
        "webhook": Channel(webhook, lambda: [_in_request(*one) for one in hook.received]),
    }
    return channels[request.param]


def _in_file(path: Path) -> list[Message]:
    lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    return [Message(**{k: v for k, v in line.items() if k != "at"}) for line in lines]


def _in_mail(mail: EmailMessage) -> Message:
    message_id = str(mail["Message-ID"]).strip("<>").removesuffix("@pixmill")
    # A mail's text ends with a line break of its own.
    body = mail.get_content().replace("\r\n", "\n").removesuffix("\n")
    return Message(message_id, str(mail["To"]), str(mail["Subject"]), body)


def _in_request(headers: dict[str, str], body: bytes) -> Message:
    data = Webhook(SECRET).verify(body, headers)["data"]
    assert headers["webhook-id"] == data["id"]
    return Message(**data)


def message(**changes: str) -> Message:
    plain = {"id": "0193", "recipient": "ada@example.com", "subject": "Hello", "body": "Welcome."}
    return Message(**{**plain, **changes})


# What holds of all


@pytest.mark.parametrize(
    "sent",
    [
        message(),
        message(subject="Grüße 🌍", body="Zürich\n写真\n\n🌍"),
        message(body='"quoted" {json} <tags> & \\ 100 %'),
        message(body="\n".join(f"line {n}" for n in range(2_000))),
        message(body="x" * 20_000),
        message(body=".\n.\n.."),
        message(subject=""),
        message(subject="long " * 39 + "end"),
    ],
    ids=["plain", "unicode", "syntax", "lines", "one-line", "dots", "no-subject", "long-subject"],
)
async def test_a_message_arrives_whole_with_its_id(channel: Channel, sent: Message) -> None:
    await channel.notifier.send(sent)

    assert channel.arrived() == [sent]


async def test_messages_arrive_one_by_one_in_their_order(channel: Channel) -> None:
    sent = [message(id=f"{n}", body=f"number {n}") for n in range(3)]
    for one in sent:
        await channel.notifier.send(one)

    assert channel.arrived() == sent


async def test_a_message_sent_again_has_the_same_id(channel: Channel) -> None:
    await channel.notifier.send(message())
    await channel.notifier.send(message())

    first, second = channel.arrived()
    assert first == second


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
async def test_no_text_can_add_a_line_a_header_or_a_message(
    channel: Channel, mailbox: Mailbox, line_break: str
) -> None:
    evil = f"x{line_break}Bcc: eve@example.com{line_break}{line_break}forged"

    await channel.notifier.send(message(subject=evil, body="kept"))

    (arrived,) = channel.arrived()
    assert arrived.body == "kept"
    assert [mail["Bcc"] for mail in mailbox.mails] in ([], [None])
    assert mailbox.recipients in ([], [["ada@example.com"]])


# Files


async def test_a_file_is_one_json_object_a_line(tmp_path: Path) -> None:
    path = tmp_path / "notifications.jsonl"
    notifier = FileNotifier(path)
    await notifier.send(message(body="one\ntwo\u2028three"))
    await notifier.send(message())

    lines = path.read_text().splitlines()

    assert len(lines) == 2
    assert json.loads(lines[0])["body"] == "one\ntwo\u2028three"
    assert json.loads(lines[0])["at"].endswith("+00:00")


async def test_a_file_that_cannot_be_written_fails_for_now(tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("")

    with pytest.raises(DeliveryFailed):
        await FileNotifier(tmp_path / "in-the-way" / "file").send(message())


# Mail


@pytest.mark.parametrize(
    ("rcpt", "data", "error"),
    [
        ("550 no such user", "250 OK", DeliveryRefused),
        ("450 try later", "250 OK", DeliveryFailed),
        ("250 OK", "554 not wanted", DeliveryRefused),
        ("250 OK", "451 try later", DeliveryFailed),
    ],
)
async def test_mail_is_refused_for_good_by_5xx_and_for_now_by_4xx(
    mailbox: Mailbox, rcpt: str, data: str, error: type[Exception]
) -> None:
    mailbox.rcpt, mailbox.data = rcpt, data

    with pytest.raises(error, match=r"no such user|try later|not wanted"):
        await SmtpNotifier(mailbox.url, SENDER).send(message())

    assert mailbox.mails == []


async def test_a_mail_server_that_is_not_there_fails_for_now() -> None:
    with pytest.raises(DeliveryFailed):
        await SmtpNotifier(f"smtp://127.0.0.1:{_unused_port()}", SENDER).send(message())


@pytest.mark.parametrize(
    "recipient", ["a@example.com\nBcc: eve@example.com", "a@b\r\nRCPT TO:<c@d>"]
)
async def test_an_address_with_a_line_break_is_refused_for_good(
    mailbox: Mailbox, recipient: str
) -> None:
    with pytest.raises(DeliveryRefused):
        await SmtpNotifier(mailbox.url, SENDER).send(message(recipient=recipient))

    assert mailbox.mails == []


async def test_a_mail_says_who_it_is_from_and_when(mailbox: Mailbox) -> None:
    await SmtpNotifier(mailbox.url, SENDER).send(message())

    assert mailbox.senders == [SENDER]
    assert str(mailbox.mails[0]["From"]) == SENDER
    assert mailbox.mails[0]["Date"] is not None


@pytest.mark.parametrize("url", ["", "mail.example.com:25", "http://mail", "smtp://"])
def test_an_address_of_a_mail_server_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="PIXMILL_SMTP_URL"):
        SmtpNotifier(url, SENDER)


# Webhooks


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, DeliveryRefused),
        (308, DeliveryRefused),
        (400, DeliveryRefused),
        (404, DeliveryRefused),
        (410, DeliveryRefused),
        (408, DeliveryFailed),
        (425, DeliveryFailed),
        (429, DeliveryFailed),
        (500, DeliveryFailed),
        (503, DeliveryFailed),
    ],
)
async def test_a_webhook_is_refused_for_good_by_lasting_answers_and_for_now_by_others(
    hook: Hook, webhook: WebhookNotifier, status: int, error: type[Exception]
) -> None:
    hook.status = status

    with pytest.raises(error, match=str(status)):
        await webhook.send(message())

    assert len(hook.received) == 1


async def test_a_webhook_does_not_follow_a_redirect(hook: Hook, webhook: WebhookNotifier) -> None:
    with hook_server() as elsewhere:
        hook.status, hook.headers = 307, {"location": elsewhere.url}

        with pytest.raises(DeliveryRefused):
            await webhook.send(message())

        assert elsewhere.received == []


async def test_a_webhooks_receiver_that_is_not_there_fails_for_now() -> None:
    notifier = WebhookNotifier(f"http://127.0.0.1:{_unused_port()}/", SECRET)

    with pytest.raises(DeliveryFailed):
        await notifier.send(message())
    await notifier.close()


async def test_a_webhook_that_was_changed_on_its_way_is_not_verified(
    hook: Hook, webhook: WebhookNotifier
) -> None:
    await webhook.send(message())
    ((headers, body),) = hook.received

    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"Welcome", b"Goodbye"), headers)


def _unused_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
