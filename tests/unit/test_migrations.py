"""The schema that the migrations make is the one the models describe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from service.migrations import migrate
from service.models import Base


def _indexes(url: str) -> dict[str, str]:
    """The indexes by name, as SQL; their conditions too, which Alembic does not compare."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        ).all()
    engine.dispose()
    return {row.name: row.sql for row in found}


def test_a_migrated_database_is_what_the_models_say(tmp_path: Path) -> None:
    migrated, made = (f"sqlite:///{tmp_path}/{name}.db" for name in ("migrated", "made"))
    migrate(migrated)
    engine = create_engine(made)
    Base.metadata.create_all(engine)
    engine.dispose()

    engine = create_engine(migrated)
    with engine.connect() as connection:
        differences: list[Any] = compare_metadata(
            MigrationContext.configure(connection), Base.metadata
        )
    engine.dispose()

    assert differences == []
    assert _indexes(migrated) == _indexes(made)


@pytest.mark.parametrize("version", ["0001"])
def test_a_database_of_an_older_release_keeps_its_rows(tmp_path: Path, version: str) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    _at(url, version)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tasks (id, kind, payload, status, lane, priority, attempt, "
                "max_attempts, crashes, run_at, progress, created_at) VALUES "
                "('t', 'k', '{}', 'queued', 'light', 1, 0, 1, 0, "
                "'2026-01-01 00:00:00', 0, '2026-01-01 00:00:00')"
            )
        )
    engine.dispose()

    migrate(url)

    engine = create_engine(url)
    with engine.connect() as connection:
        row = connection.execute(text("SELECT id, dedup_key, cancel_requested_at FROM tasks")).one()
    engine.dispose()
    assert tuple(row) == ("t", None, None)


def _at(url: str, version: str) -> None:
    """Bring a new database to an older version."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "service:migrations")
    config.attributes["database_url"] = url
    command.upgrade(config, version)
