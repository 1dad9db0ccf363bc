"""How a message leaves the service: one verb.

Delivery is at least once: a crash between sending and recording sends again. Every message has
an id that stays the same over all attempts, and each notifier passes it on, so a receiver can
tell a repetition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Message:
    """What is sent. Its texts may hold anything; each notifier keeps them from its syntax."""

    id: str
    recipient: str
    subject: str
    body: str


class Notifier(Protocol):
    """The port."""

    async def send(self, message: Message) -> None:
        """Deliver `message`, or raise.

        Raises: DeliveryFailed when a later attempt may succeed, DeliveryRefused when none can.
        """
        ...
