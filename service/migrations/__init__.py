"""The schema's versions. `migrate` brings a database up to date; it is safe to call always."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from service.database import backend_of, open_engine

VERSIONS = Path(__file__).parent / "versions"


def newest() -> str:
    """The newest version: the number that its file's name begins with."""
    return max(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py"))


def migrate(database_url: str) -> None:
    """Bring the database at `database_url` to the newest version, making it if need be.

    Several processes may start at once: the first to get the lock migrates, the others find
    nothing left to do. Alembic works in a process of its own: a service that runs for weeks
    needs none of it after its first second.

    Raises: RuntimeError with what went wrong; ValueError when `database_url` cannot be used.
    """
    engine = open_engine(database_url)
    try:
        turn = backend_of(database_url).open_turn(engine.url)
    except OSError as error:
        raise RuntimeError(f"The database cannot be opened: {error}") from error
    with closing(turn), turn:  # SQLite sets up its journal for one process at a time, or fails
        if _version(engine) != newest():
            _upgrade(database_url)


def _upgrade(database_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service.migrations", "-"],
        input=database_url,  # not an argument: it may hold a password, and all can list those
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The database could not be migrated:\n{done.stderr}")


def _version(engine: Engine) -> str | None:
    """The version a database is at; None for one that has none yet."""
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return found
    except DBAPIError as error:
        raise RuntimeError(f"The database cannot be opened: {error.orig}") from error
    finally:
        engine.dispose()
