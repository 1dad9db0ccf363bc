"""PostgreSQL: a server, many writers at once, rows held by those who change them.

The driver, psycopg, comes with the extra `pixmill[postgres]` and is loaded when a URL asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, InternalError, OperationalError

from service.database.turn import NoTurn
from service.errors import DatabaseFailed, DiskFull, Invalid, ServiceError

if TYPE_CHECKING:
    import psycopg

#: A few: each commit of one batch waits for the disk while the others fill theirs.
WRITERS = 3
WRITING: dict[str, Any] = {}
READING = {"isolation_level": "REPEATABLE READ"}
#: How a connection is made and watched; times in seconds.
CONNECTING = {
    "application_name": "pixmill",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
#: What each connection asks of the server, whatever its own configuration says.
SESSION = {
    "timezone": "UTC",
    "synchronous_commit": "on",  # a commit is on the disk before the 202 that rests on it is sent
    "lock_timeout": "10s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",  # a client that hangs lets go of its rows
    "tcp_keepalives_idle": "10",  # and one whose machine is gone is found out within half a minute
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
#: The advisory lock of whoever migrates: "pixmill" in ASCII.
SCHEMA_LOCK = int.from_bytes(b"pixmill", "big")

#: What PostgreSQL calls its errors. Source: its manual, appendix A.
DISK_FULL = "53100"
CONFLICTS = ("40001", "40P01")  # serialization_failure, deadlock_detected


def check(url: URL) -> None:
    """Raises: ValueError when the driver is not installed, or another one is asked for."""
    if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise ValueError("PIXMILL_DATABASE_URL must begin with postgresql://, without a driver")
    try:
        import psycopg  # noqa: F401 - is it there?
    except ImportError as error:
        raise ValueError(
            "PIXMILL_DATABASE_URL names PostgreSQL, whose driver is missing "
            f"({error}): install pixmill[postgres]"
        ) from None


def open_engine(url: URL, connections: int) -> Engine:
    """An engine whose connections are looked at before they are used: a server restarts."""
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args=_connect_arguments(url),
    )
    sqlalchemy_event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    if not connection.get_execution_options().get("durable", True):
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")


def connect(url: URL) -> psycopg.Connection:
    """A connection of the driver's own, outside of any pool; each statement is a transaction."""
    import psycopg

    dialect = url.set(drivername="postgresql+psycopg").get_dialect()()
    places, names = dialect.create_connect_args(url)
    return psycopg.connect(*places, **{**names, **_connect_arguments(url), "autocommit": True})


def _connect_arguments(url: URL) -> dict[str, Any]:
    """How each connection is made; what the URL itself says of it wins."""
    settings = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
    ours = {name: value for name, value in CONNECTING.items() if name not in url.query}
    return ours | {"options": f"{settings} {url.query.get('options', '')}".strip()}


def open_turn(url: URL) -> NoTurn:  # noqa: ARG001 - the port's
    """It has locks for rows, and any number of writers."""
    return NoTurn()


def hold_schema(connection: Connection) -> None:
    """An advisory lock of the transaction: the others wait, and then find nothing left to do."""
    for limit in ("lock_timeout", "statement_timeout"):  # a large table may take its time
        connection.exec_driver_sql(f"SET LOCAL {limit} = 0")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")


def is_conflict(error: BaseException) -> bool:
    """A deadlock, of which one had to go, or a snapshot that was overtaken."""
    return _state(error) in CONFLICTS


def is_connections(error: BaseException) -> bool:  # noqa: ARG001 - the port's
    """Of a connection that is lost nobody knows what it had done."""
    return False


def named(error: BaseException) -> ServiceError | None:
    """Full, out, or unable to keep a value such as a text with a NUL."""
    if isinstance(error, DataError):
        return Invalid("A value holds something that the database cannot keep.")
    if not isinstance(error, OperationalError | InterfaceError | InternalError):
        return None
    if _state(error) == DISK_FULL:
        return DiskFull("The database has no room to grow.", retry_after_seconds=30)
    failed = DatabaseFailed("The database did not answer in time.", retry_after_seconds=5)
    failed.in_doubt = error.connection_invalidated
    return failed


def describe(connection: Connection) -> str:
    """Version, and whether the server keeps what it says it has committed."""
    shown = {
        name: connection.exec_driver_sql(f"SHOW {name}").scalar()
        for name in ("server_version", "fsync", "synchronous_commit")
    }
    version = shown.pop("server_version")
    return ", ".join(
        [f"PostgreSQL {version}", *(f"{name} {value}" for name, value in shown.items())]
    )


def _state(error: BaseException) -> str | None:
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
