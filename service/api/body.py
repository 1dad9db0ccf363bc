"""A request's body, chunk by chunk: counted, paced, and never longer than it may be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from fastapi import Request

from service.api.closing import BODY_STATE
from service.config import Settings
from service.errors import ClientGone, MalformedBody, TooLarge, TooSlow, UnsupportedFormat
from service.storage import Chunk

#: A length of more digits nobody means.
MAX_DIGITS = 18


def announce(request: Request) -> None:
    """Note that a body is to come: an answer before its end then closes the connection well."""
    request.scope[BODY_STATE] = "unread"


def check_head(request: Request, max_bytes: int) -> None:
    """Refuse by the headers alone what can be refused so, before a byte of the body is read.

    Raises: UnsupportedFormat for a content coding; MalformedBody; TooLarge.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedFormat("A compressed body is not taken; send the file as it is.")
    announced = request.headers.get("content-length")
    if announced is None:
        return
    if not announced.isascii() or not announced.isdigit() or len(announced) > MAX_DIGITS:
        raise MalformedBody("Content-Length is not a number.")
    if int(announced) > max_bytes:
        raise too_large("The body", max_bytes, int(announced))


async def chunks(request: Request, settings: Settings, max_bytes: int) -> AsyncIterator[Chunk]:
    """The body's chunks as they come.

    Raises: TooLarge past `max_bytes`; TooSlow below the minimum rate; ClientGone.
    """
    received = 0
    waited = 0.0
    more = True
    while more:
        allowed = settings.body_grace_seconds
        earned = received / settings.min_body_bytes_per_second
        began = time.monotonic()
        try:
            # Only the wait for the client counts: our own disk may be as slow as it likes.
            async with asyncio.timeout(min(allowed, allowed + earned - waited)):
                message = await request.receive()
        except TimeoutError:
            raise TooSlow(
                "The body came slower than the minimum rate, in bytes a second.",
                limit=settings.min_body_bytes_per_second,
            ) from None
        waited += time.monotonic() - began
        if message["type"] == "http.disconnect":
            raise ClientGone("The client went away before the end of the body.")
        chunk: bytes = message.get("body", b"")
        received += len(chunk)
        if received > max_bytes:
            raise too_large("The body", max_bytes, received)
        more = message.get("more_body", False)
        del message
        if not more:
            request.scope[BODY_STATE] = "read"
        if chunk:
            yield chunk
        del chunk


def too_large(what: str, limit: int, actual: int) -> TooLarge:
    """The refusal of something over the byte limit."""
    return TooLarge(f"{what} is larger than {limit:,} bytes.", limit=limit, actual=actual)
