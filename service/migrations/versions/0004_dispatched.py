"""When a task was handed to a broker"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""

    op.add_column("tasks", sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_tasks_dispatched",
        "tasks",
        ["lane", "dispatched_at"],
        sqlite_where=sa.text("dispatched_at IS NOT NULL"),
        postgresql_where=sa.text("dispatched_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Undo."""

    op.drop_index("ix_tasks_dispatched", table_name="tasks")
    op.drop_column("tasks", "dispatched_at")
