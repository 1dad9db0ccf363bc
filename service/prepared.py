"""Statements that are carried out all the time: put together once, and not at every execution.

SQLAlchemy takes ten times as long over a small statement as SQLite does over carrying it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Float, Select
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.types import TypeEngine

#: How a value is put for the driver, or what is made of the driver's; None: as it is.
_Change = Callable[[Any], Any] | None


@dataclass(frozen=True, eq=False)
class Prepared:
    """A statement whose every `bindparam` is one value: no lists that expand."""

    statement: Select[Any] | UpdateBase

    def rows(self, session: Session, values: Mapping[str, Any]) -> list[Sequence[Any]]:
        """Carry it out and return all it yields, each row in the order of its columns."""
        connection = session.connection()
        sql = _sql(self, connection.dialect)
        found = connection.exec_driver_sql(sql.text, sql.bind(values))
        return [sql.read(row) for row in found]

    def first(self, session: Session, values: Mapping[str, Any]) -> Sequence[Any] | None:
        """The first row it yields, or None."""
        rows = self.rows(session, values)
        return rows[0] if rows else None

    def named(self, session: Session, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All it yields, each row by its columns' names."""
        names = [column.name for column in self.statement.exported_columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows(session, values)]

    def first_named(self, session: Session, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The first row it yields by its columns' names, or None."""
        rows = self.named(session, values)
        return rows[0] if rows else None


@dataclass(frozen=True)
class _Sql:
    """A statement as one driver wants it."""

    text: str
    #: Whether the driver takes parameters in their order, or else by their names.
    is_positional: bool
    #: Parameters that are the same at every execution.
    constants: Mapping[str, Any]
    #: Those that are not.
    put: Mapping[str, _Change]
    order: Sequence[str]
    taken: Sequence[_Change]

    def bind(self, values: Mapping[str, Any]) -> Any:
        bound = {**self.constants}
        for name, put in self.put.items():
            bound[name] = put(values[name]) if put else values[name]
        return tuple(bound[name] for name in self.order) if self.is_positional else bound

    def read(self, row: Sequence[Any]) -> Sequence[Any]:
        return [take(value) if take else value for value, take in zip(row, self.taken, strict=True)]


@cache
def _sql(prepared: Prepared, dialect: Dialect) -> _Sql:
    compiled = prepared.statement.compile(dialect=dialect)
    put = {name: _putter(bind.type, dialect) for name, bind in compiled.binds.items()}
    given = {name for name, bind in compiled.binds.items() if bind.required}
    constants = {
        name: change(value) if (change := put[name]) else value
        for name, value in compiled.construct_params(_check=False).items()
        if name not in given
    }
    return _Sql(
        compiled.string,
        is_positional=compiled.positional,
        constants=constants,
        put={name: put[name] for name in given},
        order=compiled.positiontup or (),
        taken=[_taker(column.type, dialect) for column in prepared.statement.exported_columns],
    )


def _putter(of: TypeEngine[Any], dialect: Dialect) -> _Change:
    return of.dialect_impl(dialect).bind_processor(dialect)


def _taker(of: TypeEngine[Any], dialect: Dialect) -> _Change:
    if isinstance(of, Float):  # it would ask which of the driver's numbers this is
        return None
    return of.dialect_impl(dialect).result_processor(dialect, None)
