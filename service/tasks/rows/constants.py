"""Words and numbers that stand in a statement and are not handed over with it.

SQLite then sees that a partial index serves. Of a value that is handed over it looks whether it
does at every execution, and plans the statement anew, which takes longer than carrying it out.
For what the code itself says, never for what comes from outside.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, literal_column
from sqlalchemy.orm import InstrumentedAttribute

Constant = str | int


def constant(value: Constant) -> ColumnElement[Any]:
    """The value as SQL has it."""
    return literal_column(f"'{value}'" if isinstance(value, str) else str(int(value)))


def one_of(
    column: ColumnElement[Any] | InstrumentedAttribute[Any], values: Iterable[Constant]
) -> ColumnElement[bool]:
    """Whether a column has one of these values."""
    return column.in_([constant(value) for value in values])
