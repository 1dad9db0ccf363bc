"""Rows that are read in order to be written, held until the transaction ends.

PostgreSQL has many writers: what one has read, another may change before it writes. SQLite has one
at a time, knows no such clause, and is given none.
"""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import Session

from service.models import Base

M = TypeVar("M", bound=Base)
S = TypeVar("S", bound=Select[Any])


def held(statement: S) -> S:
    """The same statement, whose rows are kept from other writers; rows may still refer to them."""
    return statement.with_for_update(key_share=True)


def hold(session: Session, model: type[M], key: Any) -> M | None:
    """The row of that key as it is now, kept from other writers; None if there is none."""
    return session.get(model, key, with_for_update={"key_share": True})


def hold_table(session: Session, model: type[Base]) -> None:
    """Keep all other writers out of a table: for what no row yet stands for."""
    if session.connection().dialect.name == "postgresql":
        session.execute(text(f"LOCK TABLE {model.__tablename__} IN SHARE ROW EXCLUSIVE MODE"))


def is_alone(session: Session, what: str) -> bool:
    """Whether nobody else is about to do this: then nobody will be until the transaction's end."""
    if session.connection().dialect.name != "postgresql":
        return True
    key = func.hashtextextended(f"pixmill {what}", 0)
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(key))))
