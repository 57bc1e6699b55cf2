"""The tables of agentic systems, sessions and turns.

A turn is written by its owner alone: ``owner`` and ``attempt`` fence every write of a turn that runs. Its steps are the
events that have a ``step_id``; the event of its end is stored without the turn, which is made out of the other rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from mesh.migrations import Migrations

METADATA: Final = MetaData()
MIGRATIONS: Final = Migrations("agents", Path(__file__).with_name("migrations"))

SYSTEMS: Final = Table(
    "agent_systems",
    METADATA,
    Column("system_id", String(36), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("model", String(1024), nullable=False),
    Column("config", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
    Index("agent_systems_by_age", "tenant", "created_at", "system_id"),
)

SESSIONS: Final = Table(
    "agent_sessions",
    METADATA,
    Column("session_id", String(36), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("system_id", String(36), ForeignKey("agent_systems.system_id", ondelete="CASCADE"), nullable=False),
    Column("name", String(1024), nullable=False),
    # a JSON array, in the order of attaching
    Column("bank_ids", Text, nullable=False),
    # the bank that holds the session's own files, if one was made
    Column("files_bank", String(256)),
    Column("created_at", Float, nullable=False),
    Index("agent_sessions_by_age", "system_id", "created_at", "session_id"),
)

_UNDER_WAY: Final = text("status IN (1, 2)")

TURNS: Final = Table(
    "agent_turns",
    METADATA,
    Column("uid", String(36), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("turn_id", String(256), nullable=False),
    Column("system_id", String(36), nullable=False),
    Column("session_id", String(36), ForeignKey("agent_sessions.session_id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    # TurnStatus
    Column("status", Integer, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("config", LargeBinary, nullable=False),
    Column("subject", String(256), nullable=False),
    Column("scopes", Text, nullable=False),
    # the trace of the call that began the turn: a JSON object with the headers of W3C Trace Context
    Column("trace", Text),
    Column("owner", String(256)),
    Column("attempt", Integer, nullable=False),
    Column("lease_until", Float),
    Column("last_sequence", Integer, nullable=False),
    Column("output", LargeBinary),
    Column("error", LargeBinary),
    Column("started_at", Float, nullable=False),
    Column("completed_at", Float),
    UniqueConstraint("tenant", "turn_id", name="agent_turns_by_id"),
    UniqueConstraint("session_id", "position", name="agent_turns_by_position"),
    # one turn at a time per session
    Index("agent_turns_under_way", "session_id", unique=True, sqlite_where=_UNDER_WAY, postgresql_where=_UNDER_WAY),
    Index("agent_turns_by_lease", "status", "lease_until"),
)

EVENTS: Final = Table(
    "agent_events",
    METADATA,
    Column("turn", String(36), ForeignKey("agent_turns.uid", ondelete="CASCADE"), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    # set on the event that completes a step
    Column("step_id", String(36)),
    Column("body", LargeBinary, nullable=False),
    # ContentParts: files that the tools of the step made
    Column("files", LargeBinary),
    Index(
        "agent_events_of_steps",
        "turn",
        "sequence",
        sqlite_where=text("step_id IS NOT NULL"),
        postgresql_where=text("step_id IS NOT NULL"),
    ),
)

CALLS: Final = Table(
    "agent_tool_calls",
    METADATA,
    Column("turn", String(36), ForeignKey("agent_turns.uid", ondelete="CASCADE"), primary_key=True),
    # the inference that made the call, from 1, and the place of the call in its answer
    Column("iteration", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("call_id", String(256), nullable=False),
    Column("state", String(16), nullable=False),
    Column("call", LargeBinary, nullable=False),
    Column("decision", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("response", LargeBinary),
    Column("files", LargeBinary),
)
