"""What was chosen for a variant, a blur to show before it, and the metadata of an original"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""

    op.add_column("variants", sa.Column("quality", sa.Integer(), nullable=True))
    op.add_column("variants", sa.Column("score", sa.Double(), nullable=True))
    op.add_column("images", sa.Column("blurhash", sa.String(32), nullable=True))
    op.add_column("images", sa.Column("removed", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Undo."""

    op.drop_column("images", "removed")
    op.drop_column("images", "blurhash")
    op.drop_column("variants", "score")
    op.drop_column("variants", "quality")
