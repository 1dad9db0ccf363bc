"""How messages leave the service: the channels the settings configure."""

from __future__ import annotations

from collections.abc import Mapping

from service.config import Settings
from service.notifiers.base import Message, Notifier
from service.notifiers.file import FileNotifier

__all__ = ["CHANNELS", "Message", "Notifier", "open_notifiers"]

CHANNELS = ("file", "email", "webhook")


def open_notifiers(settings: Settings) -> Mapping[str, Notifier]:
    """The notifiers by channel; `file` is always there.

    Raises: ValueError that names the setting which cannot be used.
    """
    notifiers: dict[str, Notifier] = {"file": FileNotifier(settings.notifications_file)}
    if smtp_url := settings.smtp_url.get_secret_value():
        from service.notifiers.smtp import SmtpNotifier

        notifiers["email"] = SmtpNotifier(smtp_url, settings.mail_from)
    if settings.webhook_url:
        from service.notifiers.webhook import WebhookNotifier

        secret = settings.webhook_secret.get_secret_value()
        notifiers["webhook"] = WebhookNotifier(settings.webhook_url, secret)
    return notifiers


async def close_notifiers(notifiers: Mapping[str, Notifier]) -> None:
    """Close the connections of those that keep any."""
    for notifier in notifiers.values():
        if close := getattr(notifier, "close", None):
            await close()
