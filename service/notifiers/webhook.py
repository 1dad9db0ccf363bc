"""Messages as signed HTTP requests to the one address the operator set.

Source: the Standard Webhooks specification (headers, signature, `whsec_` secrets).
"""

from __future__ import annotations

import json
from dataclasses import asdict

import httpx
from standardwebhooks.webhooks import Webhook

from service.errors import DeliveryFailed, DeliveryRefused
from service.models import now
from service.notifiers.base import Message

#: Longest wait for the receiver, in seconds.
TIMEOUT_SECONDS = 10
#: Answers that another attempt may change.
_PASSING = (408, 425, 429)


class WebhookNotifier:
    """POST to `url`; redirects are not followed. The address never comes from a client."""

    def __init__(self, url: str, secret: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError("PIXMILL_WEBHOOK_URL must begin with https:// or http://")
        self._url = url
        self._signer = _signer(secret)
        self._client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False)

    async def send(self, message: Message) -> None:
        """Deliver, signed. Raises: DeliveryFailed; DeliveryRefused on a lasting 3xx or 4xx."""
        at = now()
        body = json.dumps(
            {"type": "notification", "timestamp": at.isoformat(), "data": asdict(message)}
        )
        headers = {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._signer.sign(message.id, at, body),
        }
        try:
            response = await self._client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise DeliveryFailed(f"The webhook's receiver failed: {error}") from error
        _check(response.status_code)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _signer(secret: str) -> Webhook:
    try:
        return Webhook(secret)
    except Exception as error:
        raise ValueError("PIXMILL_WEBHOOK_SECRET must be `whsec_` and base64") from error


def _check(status: int) -> None:
    if 200 <= status < 300:
        return
    detail = f"The webhook's receiver answered {status}."
    if status >= 500 or status in _PASSING:
        raise DeliveryFailed(detail)
    raise DeliveryRefused(detail)
