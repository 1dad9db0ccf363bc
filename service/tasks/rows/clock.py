"""The clock that leases and due times go by."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.models import now


def time_of(session: Session) -> datetime:
    """The time all workers of one database agree on, asked once a transaction.

    On PostgreSQL the server's: machines that share it have clocks that differ. On SQLite this
    process's own, which is its machine's.
    """
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        return now()
    at: datetime | None = connection.get_execution_options().get("server_time")
    if at is None:
        at = connection.execute(select(func.clock_timestamp())).scalar_one()
        connection.execution_options(server_time=at)
    return at
