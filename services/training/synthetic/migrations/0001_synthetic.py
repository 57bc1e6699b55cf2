"""Generation jobs: what they have made so far, and their logs."""

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
        "synthetic_jobs",
        *_job(),
        sa.Column("holder", sa.String(512), nullable=False),
        sa.Column("cancelled_by", sa.String(256)),
        sa.Column("tidy", sa.Boolean, nullable=False),
    )
    op.create_table(
        "synthetic_answers",
        *_job(),
        sa.Column("prompt", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sample", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("message", sa.LargeBinary),
        sa.Column("tokens", sa.Integer, nullable=False),
    )
    op.create_table(
        "synthetic_outcomes",
        *_job(),
        sa.Column("prompt", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("scored", sa.LargeBinary, nullable=False),
        sa.Column("facts", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "synthetic_logs",
        *_job(),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("synthetic_logs", "synthetic_outcomes", "synthetic_answers", "synthetic_jobs"):
        op.drop_table(table)


def _job() -> list[sa.Column[str]]:
    return [
        sa.Column("tenant", sa.String(256), primary_key=True),
        sa.Column("job", sa.String(256), primary_key=True),
    ]
