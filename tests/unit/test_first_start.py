"""The schema is brought up to date once, however many begin at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from service.database import open_engine
from service.migrations import migrate, newest
from tests import postgres


@pytest.fixture
def bare_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path}/bare.db"
    server: postgres.Server = request.getfixturevalue("postgres_server")
    return server.create()


def version(url: str) -> str | None:
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return found
    finally:
        engine.dispose()


def test_a_database_is_made_and_then_left_alone(bare_url: str) -> None:
    migrate(bare_url)
    migrate(bare_url)

    assert version(bare_url) == newest()


def test_of_several_that_begin_at_once_one_migrates_and_all_find_it_done(bare_url: str) -> None:
    command = [sys.executable, "-m", "service.migrations", bare_url]
    several = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]

    said = [process.communicate(timeout=60)[1] for process in several]

    assert [process.returncode for process in several] == [0, 0, 0], said
    assert version(bare_url) == newest()


SECRET = "hunter2"
AWAY = f"postgresql://me:{SECRET}@127.0.0.1:1/pixmill"


@pytest.mark.parametrize(
    ("command", "status"), [("migrate", 1), ("doctor", 1), ("settings", 0), ("serve", 3)]
)
def test_no_command_tells_the_databases_password(tmp_path: Path, command: str, status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service", command],
        cwd=tmp_path,
        env={
            **os.environ,
            "PIXMILL_DATABASE_URL": AWAY,
            "PIXMILL_PORT": "0",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "COLUMNS": "400",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == status, done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "127.0.0.1" in done.stdout + done.stderr


def test_a_database_that_is_away_is_told_in_words() -> None:
    with pytest.raises(RuntimeError, match="cannot be opened"):
        migrate(AWAY)
