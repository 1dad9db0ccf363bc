"""Rows of plain values into their tables, as fast as the driver takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Column
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session

from service.models import Base


def add_rows(session: Session, table: type[Base], *rows: Mapping[str, Any]) -> None:
    """Insert rows of plain values; a column that a row leaves out takes its default.

    One statement, past the mapper and the compiler: an upload writes six rows, and a driver
    gives the interpreter away at every statement, which costs more than SQLite's own work.
    """
    if rows:
        connection = session.connection()
        insertion = _insertion(table, connection.dialect)
        values = tuple(value for row in rows for value in insertion.bind(row))
        connection.exec_driver_sql(insertion.sql(len(rows)), values)


def add_row_unless_there(session: Session, table: type[Base], row: Mapping[str, Any]) -> bool:
    """Insert a row unless one that must be unique beside it is there; say whether it was.

    Safe against others who do the same at the same moment: who comes second waits, then loses.
    """
    connection = session.connection()
    insertion = _insertion(table, connection.dialect)
    statement = insertion.sql(1) + " ON CONFLICT DO NOTHING"
    return connection.exec_driver_sql(statement, tuple(insertion.bind(row))).rowcount == 1


@dataclass(frozen=True)
class _Insertion:
    """An INSERT into one table, made ready once."""

    head: str
    group: str
    #: Of each column: its name, its default, and how its values are put for the driver.
    columns: tuple[tuple[str, Any, Callable[[Any], Any] | None], ...]

    def sql(self, rows: int) -> str:
        """The statement for that many rows."""
        return self.head + ", ".join([self.group] * rows)

    def bind(self, row: Mapping[str, Any]) -> Iterator[Any]:
        """The row's values in the order of the columns, as the driver wants them."""
        for name, default, put in self.columns:
            value = row.get(name, default)
            yield put(value) if put else value


@cache
def _insertion(model: type[Base], dialect: Dialect) -> _Insertion:
    table = model.metadata.tables[model.__tablename__]
    columns = [one for one in table.columns if one.autoincrement is not True]
    names = ", ".join(one.name for one in columns)
    mark = "?" if dialect.paramstyle == "qmark" else "%s"
    marks = ", ".join(mark for _ in columns)
    return _Insertion(
        f"INSERT INTO {table.name} ({names}) VALUES ",  # noqa: S608 - names of our own tables
        f"({marks})",
        tuple((one.name, _default(one), _putter(one, dialect)) for one in columns),
    )


def _default(column: Column[Any]) -> Any:
    return getattr(column.default, "arg", None)


def _putter(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    return column.type.dialect_impl(dialect).bind_processor(dialect)
