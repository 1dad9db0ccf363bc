"""Alembic's entry: one connection, one transaction, the write lock from its start."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, event

from service.models import Base

engine = create_engine(context.config.attributes["database_url"], connect_args={"timeout": 30})


@event.listens_for(engine, "connect")
def _set_up(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined] # sqlite3's, not typed here
    connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[attr-defined] # likewise


@event.listens_for(engine, "begin")
def _begin(connection: object) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined] # likewise


with engine.begin() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, transactional_ddl=False)
    context.run_migrations()
engine.dispose()
