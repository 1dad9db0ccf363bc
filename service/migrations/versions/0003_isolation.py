"""Whether the next attempt at a task runs in a child process"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""

    op.add_column(
        "tasks", sa.Column("isolated", sa.Boolean(), nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    """Undo."""

    op.drop_column("tasks", "isolated")
