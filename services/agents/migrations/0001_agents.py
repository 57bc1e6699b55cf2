"""Agentic systems, sessions, turns, their events and their tool calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _systems()
    _turns()
    _events()


def downgrade() -> None:
    """Drop the tables."""
    for table in ("agent_tool_calls", "agent_events", "agent_turns", "agent_sessions", "agent_systems"):
        op.drop_table(table)


def _systems() -> None:
    op.create_table(
        "agent_systems",
        sa.Column("system_id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("model", sa.String(1024), nullable=False),
        sa.Column("config", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index("agent_systems_by_age", "agent_systems", ["tenant", "created_at", "system_id"])
    of_system = sa.ForeignKey("agent_systems.system_id", ondelete="CASCADE")
    op.create_table(
        "agent_sessions",
        sa.Column("session_id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("system_id", sa.String(36), of_system, nullable=False),
        sa.Column("name", sa.String(1024), nullable=False),
        sa.Column("bank_ids", sa.Text, nullable=False),
        sa.Column("files_bank", sa.String(256)),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index("agent_sessions_by_age", "agent_sessions", ["system_id", "created_at", "session_id"])


def _turns() -> None:
    of_session = sa.ForeignKey("agent_sessions.session_id", ondelete="CASCADE")
    op.create_table(
        "agent_turns",
        sa.Column("uid", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("turn_id", sa.String(256), nullable=False),
        sa.Column("system_id", sa.String(36), nullable=False),
        sa.Column("session_id", sa.String(36), of_session, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("request", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("config", sa.LargeBinary, nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("owner", sa.String(256)),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("lease_until", sa.Float),
        sa.Column("last_sequence", sa.Integer, nullable=False),
        sa.Column("output", sa.LargeBinary),
        sa.Column("error", sa.LargeBinary),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("completed_at", sa.Float),
        sa.UniqueConstraint("tenant", "turn_id", name="agent_turns_by_id"),
        sa.UniqueConstraint("session_id", "position", name="agent_turns_by_position"),
    )
    where = sa.text("status IN (1, 2)")
    op.create_index(
        "agent_turns_under_way", "agent_turns", ["session_id"], unique=True, sqlite_where=where, postgresql_where=where
    )
    op.create_index("agent_turns_by_lease", "agent_turns", ["status", "lease_until"])


def _events() -> None:
    op.create_table(
        "agent_events",
        sa.Column("turn", sa.String(36), sa.ForeignKey("agent_turns.uid", ondelete="CASCADE"), primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("step_id", sa.String(36)),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("files", sa.LargeBinary),
    )
    where = sa.text("step_id IS NOT NULL")
    op.create_index(
        "agent_events_of_steps", "agent_events", ["turn", "sequence"], sqlite_where=where, postgresql_where=where
    )
    op.create_table(
        "agent_tool_calls",
        sa.Column("turn", sa.String(36), sa.ForeignKey("agent_turns.uid", ondelete="CASCADE"), primary_key=True),
        sa.Column("iteration", sa.Integer, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("call_id", sa.String(256), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("call", sa.LargeBinary, nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("response", sa.LargeBinary),
        sa.Column("files", sa.LargeBinary),
    )
