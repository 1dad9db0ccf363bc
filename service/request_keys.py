"""Requests that a client may send again under a key of its own: only the first one does anything.

Source: the draft "The Idempotency-Key HTTP Header Field" (IETF HTTPAPI). The key is kept in the
transaction of what the request makes, so both are there or neither.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from service.errors import KeyReused
from service.inserts import add_row_unless_there
from service.models import RequestKey, now


def first(session: Session, route: str, key: str | None, asked: str, made_id: str) -> str:
    """The id of what the first request under `key` made: `made_id` if this is the first.

    `asked` is all that the request wants, as text. Raises: KeyReused when that was another thing.
    """
    if key is None:
        return made_id
    digest = hashlib.sha256(asked.encode()).hexdigest()
    row = {"route": route, "key": key, "digest": digest, "made_id": made_id, "created_at": now()}
    if add_row_unless_there(session, RequestKey, row):
        return made_id
    earlier = session.get_one(RequestKey, (route, key))
    if earlier.digest != digest:
        raise KeyReused("This key came with another request before.", field="Idempotency-Key")
    return earlier.made_id


def prune(session: Session, before: datetime, limit: int) -> int:
    """Forget up to `limit` keys that are older; return how many."""
    old = select(RequestKey.route, RequestKey.key).where(RequestKey.created_at < before)
    found = session.execute(old.order_by(RequestKey.created_at).limit(limit)).all()
    for route, key in found:
        session.execute(delete(RequestKey).where(RequestKey.route == route, RequestKey.key == key))
    return len(found)
