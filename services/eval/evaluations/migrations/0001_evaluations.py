"""Scored samples and log lines of evaluation jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "evaluation_samples",
        sa.Column("tenant", sa.String(256), primary_key=True),
        sa.Column("job", sa.String(256), primary_key=True),
        sa.Column("index", sa.BigInteger, primary_key=True),
        sa.Column("failed", sa.Boolean, nullable=False),
        sa.Column("statistics", sa.Text, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_index("evaluation_samples_by_failure", "evaluation_samples", ["tenant", "job", "failed", "index"])
    op.create_table(
        "evaluation_log_lines",
        sa.Column("tenant", sa.String(256), primary_key=True),
        sa.Column("job", sa.String(256), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("line", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("evaluation_log_lines")
    op.drop_table("evaluation_samples")
