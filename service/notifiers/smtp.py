"""Messages by mail."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

import aiosmtplib

from service.errors import DeliveryFailed, DeliveryRefused
from service.models import now
from service.notifiers.base import Message

#: Longest wait for the server at any step, in seconds.
TIMEOUT_SECONDS = 20


class SmtpNotifier:
    """Send through the server at `url`: `smtp://user:password@host:port`, or `smtps://…`.

    With `smtp://` the connection is upgraded by STARTTLS where the server offers it.
    """

    def __init__(self, url: str, sender: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("PIXMILL_SMTP_URL must look like smtp://user:password@host:port")
        self._sender = sender
        self._server: dict[str, Any] = {
            "hostname": parts.hostname,
            "port": parts.port,
            "username": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
            "use_tls": parts.scheme == "smtps",
        }

    async def send(self, message: Message) -> None:
        """Hand the mail to the server. Raises: DeliveryFailed, DeliveryRefused (5xx answers)."""
        try:
            mail = _mail(message, self._sender)
        except ValueError as error:  # an address with a line break, say
            raise DeliveryRefused(f"The message makes no mail: {error}") from error
        try:
            await aiosmtplib.send(mail, timeout=TIMEOUT_SECONDS, **self._server)
        except aiosmtplib.SMTPRecipientsRefused as error:
            permanent = all(refused.code >= 500 for refused in error.recipients)
            raise (DeliveryRefused if permanent else DeliveryFailed)(str(error)) from error
        except aiosmtplib.SMTPResponseException as error:
            permanent = error.code >= 500
            raise (DeliveryRefused if permanent else DeliveryFailed)(str(error)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryFailed(f"The mail server failed: {error}") from error


def _mail(message: Message, sender: str) -> EmailMessage:
    """The mail; header values lose line breaks, so no text can add a header."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = message.recipient
    mail["Subject"] = " ".join(message.subject.split())
    mail["Date"] = now()
    mail["Message-ID"] = f"<{message.id}@pixmill>"
    mail.set_content(message.body)
    return mail
