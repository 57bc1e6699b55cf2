"""Checkpoints that were put into service."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "post_training_registrations",
        sa.Column("tenant", sa.String(256), primary_key=True),
        sa.Column("model_id", sa.String(1024), primary_key=True),
        sa.Column("checkpoint_id", sa.String(256), nullable=False),
        sa.Column("registered_at", sa.Float, nullable=False),
    )
    columns = ["tenant", "checkpoint_id"]
    op.create_index("post_training_registrations_by_checkpoint", "post_training_registrations", columns)


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("post_training_registrations")
