"""Indexes for the spans of a turn and of a run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COLUMNS = ("turn", "run")


def upgrade() -> None:
    """Make the indexes; most spans have no run, many no turn."""
    for column in _COLUMNS:
        there = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"observability_spans_by_{column}",
            "observability_spans",
            ["tenant", column, "moment"],
            sqlite_where=there,
            postgresql_where=there,
        )


def downgrade() -> None:
    """Drop the indexes."""
    for column in _COLUMNS:
        op.drop_index(f"observability_spans_by_{column}", "observability_spans")
