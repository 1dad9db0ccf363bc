"""Running work: cancel, deduplicate, schedule, pause, prune"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DUE = sa.text("status IN ('queued', 'retrying')")
UNFINISHED_WITH_KEY = sa.text(
    "dedup_key IS NOT NULL AND status IN ('waiting', 'queued', 'retrying', 'running')"
)
FINISHED = sa.text("finished_at IS NOT NULL")


def upgrade() -> None:
    """Apply."""

    op.add_column("tasks", sa.Column("dedup_key", sa.String(length=255), nullable=True))
    op.add_column(
        "tasks", sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("notifications", sa.Column("run_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("ix_tasks_due", table_name="tasks")
    op.create_index(
        "ix_tasks_due",
        "tasks",
        ["lane", "priority", "run_at", "id", "kind", "status"],
        unique=False,
        sqlite_where=DUE,
        postgresql_where=DUE,
    )
    op.create_index(
        "ux_tasks_dedup",
        "tasks",
        ["kind", "dedup_key"],
        unique=True,
        sqlite_where=UNFINISHED_WITH_KEY,
        postgresql_where=UNFINISHED_WITH_KEY,
    )
    op.create_index(
        "ix_tasks_finished",
        "tasks",
        ["status", "finished_at", "kind"],
        unique=False,
        sqlite_where=FINISHED,
        postgresql_where=FINISHED,
    )
    op.create_table(
        "paused_kinds",
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind"),
    )
    op.create_table(
        "request_keys",
        sa.Column("route", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("made_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("route", "key"),
    )
    op.create_index(op.f("ix_request_keys_created_at"), "request_keys", ["created_at"])


def downgrade() -> None:
    """Undo."""

    op.drop_index(op.f("ix_request_keys_created_at"), table_name="request_keys")
    op.drop_table("request_keys")
    op.drop_table("paused_kinds")
    op.drop_index("ix_tasks_finished", table_name="tasks")
    op.drop_index("ux_tasks_dedup", table_name="tasks")
    op.drop_index("ix_tasks_due", table_name="tasks")
    op.create_index(
        "ix_tasks_due",
        "tasks",
        ["lane", "priority", "run_at", "id"],
        unique=False,
        sqlite_where=DUE,
        postgresql_where=DUE,
    )
    op.drop_column("notifications", "run_at")
    op.drop_column("tasks", "cancel_requested_at")
    op.drop_column("tasks", "dedup_key")
