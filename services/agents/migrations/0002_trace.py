"""The traces of turns, in which whoever goes on with them goes on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("agent_turns", sa.Column("trace", sa.Text))


def downgrade() -> None:
    """Drop the column."""
    # not as a batch: a table made anew would take the events of all turns along
    op.drop_column("agent_turns", "trace")
