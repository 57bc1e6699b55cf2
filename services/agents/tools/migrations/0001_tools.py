"""Registered REST tools and MCP servers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = ("rest_tools", "mcp_servers")


def upgrade() -> None:
    """Make the tables."""
    for table in _TABLES:
        op.create_table(
            table,
            sa.Column("tenant", sa.String(256), primary_key=True),
            sa.Column("name", sa.String(256), primary_key=True),
            sa.Column("spec", sa.LargeBinary, nullable=False),
            sa.Column("created_at", sa.Float, nullable=False),
        )


def downgrade() -> None:
    """Drop the tables."""
    for table in _TABLES:
        op.drop_table(table)
