"""Times that a client names: of its work, and of what it looks for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from service.models import now

#: How far ahead work may be scheduled.
MAX_AHEAD = timedelta(days=366)
#: Years that every database and every clock here can hold.
EARLIEST, LATEST = 1971, 9998


def _iso(value: object) -> object:
    if not isinstance(value, str) or "T" not in value.upper():
        raise ValueError("must be a time in ISO 8601, with its zone")
    return value


def _soon(value: datetime) -> datetime:
    if value > now() + MAX_AHEAD:
        raise ValueError(f"lies more than {MAX_AHEAD.days} days ahead")
    return value


def _within_reason(value: datetime) -> datetime:
    if not EARLIEST <= value.year <= LATEST:
        raise ValueError(f"lies outside the years {EARLIEST} to {LATEST}")
    return value


#: A time that rows are held against.
PointInTime = Annotated[AwareDatetime, BeforeValidator(_iso), AfterValidator(_within_reason)]
#: A time that work may be scheduled for; what has passed means at once.
RunAt = Annotated[AwareDatetime, BeforeValidator(_iso), AfterValidator(_soon)]
