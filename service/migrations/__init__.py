"""The schema's versions. `migrate` brings a database up to date; it is safe to call always."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import make_url


def migrate(database_url: str) -> None:
    """Bring the database at `database_url` to the newest version, making it if need be.

    Several processes may start at once: the first to get the write lock migrates, the others
    find nothing left to do.
    """
    database = make_url(database_url).database
    if database:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    command.upgrade(_config(database_url), "head")


def _config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["database_url"] = database_url
    return config
