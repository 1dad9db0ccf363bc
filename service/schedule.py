"""A time that a client wants its work to be done at."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from service.models import now

#: How far ahead work may be scheduled.
MAX_AHEAD = timedelta(days=366)


def _iso(value: object) -> object:
    if not isinstance(value, str) or "T" not in value.upper():
        raise ValueError("must be a time in ISO 8601, with its zone")
    return value


def _soon(value: datetime) -> datetime:
    if value > now() + MAX_AHEAD:
        raise ValueError(f"lies more than {MAX_AHEAD.days} days ahead")
    return value


#: A time that work may be scheduled for; what has passed means at once.
RunAt = Annotated[AwareDatetime, BeforeValidator(_iso), AfterValidator(_soon)]
