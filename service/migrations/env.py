"""Alembic's entry: one connection, one transaction, kept from all others from its start."""

from __future__ import annotations

from alembic import context

from service.database import backend_of, open_engine
from service.models import Base

url = context.config.attributes["database_url"]
backend = backend_of(url)
engine = open_engine(url)

with engine.connect() as connection:
    connection.execution_options(**backend.WRITING)
    with connection.begin():
        backend.hold_schema(connection)
        context.configure(
            connection=connection, target_metadata=Base.metadata, transactional_ddl=False
        )
        context.run_migrations()
engine.dispose()
