"""What belongs to one kind of database: how it is opened, and what it means by its errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Engine

from service.database.turn import NoTurn, Turn
from service.errors import ServiceError


class Backend(Protocol):
    """The port. Its adapters are modules."""

    @property
    def WRITERS(self) -> int:  # noqa: N802 - a module's constant
        """Threads that write, each on a connection of its own."""
        ...

    @property
    def WRITING(self) -> Mapping[str, Any]:  # noqa: N802 - a module's constant
        """Execution options of a transaction that writes; beside them `durable`, which says whether
        its commit is to be on the disk when it returns."""
        ...

    @property
    def READING(self) -> Mapping[str, Any]:  # noqa: N802 - a module's constant
        """Execution options of one that only reads, on one snapshot."""
        ...

    def check(self, url: URL) -> None:
        """Raises: ValueError when `url` cannot be used here."""
        ...

    def open_engine(self, url: URL, connections: int) -> Engine:
        """An engine with that many connections at most, none of them open yet."""
        ...

    def open_turn(self, url: URL) -> Turn | NoTurn:
        """What a transaction that writes waits for, where processes write one after the other."""
        ...

    def hold_schema(self, connection: Connection) -> None:
        """Keep everybody else from migrating until this transaction's end."""
        ...

    def is_conflict(self, error: BaseException) -> bool:
        """Whether another transaction was in the way, so that the same work may pass now."""
        ...

    def is_connections(self, error: BaseException) -> bool:
        """Whether only the connection could not, which is gone now, and nothing was done."""
        ...

    def named(self, error: BaseException) -> ServiceError | None:
        """Our error for what the driver raised; None if it is not the database's own fault."""
        ...

    def describe(self, connection: Connection) -> str:
        """Version and state, for `pixmill doctor`."""
        ...
