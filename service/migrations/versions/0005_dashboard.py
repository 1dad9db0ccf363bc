"""What the dashboard asks for: minutes of finished tasks, failures by error, images by status"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FAILED = sa.text("status = 'failed'")


def upgrade() -> None:
    """Apply."""

    op.create_table(
        "task_minutes",
        sa.Column("minute", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("wait_sum", sa.Double(), nullable=False),
        sa.Column("wait_max", sa.Double(), nullable=False),
        sa.Column("run_sum", sa.Double(), nullable=False),
        sa.Column("run_max", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "kind", "outcome"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_tasks_failed",
        "tasks",
        ["status", "kind", "error_code", "finished_at"],
        sqlite_where=FAILED,
        postgresql_where=FAILED,
    )
    op.create_index("ix_images_status", "images", ["status", "id"])


def downgrade() -> None:
    """Undo."""

    op.drop_index("ix_images_status", table_name="images")
    op.drop_index("ix_tasks_failed", table_name="tasks")
    op.drop_table("task_minutes")
