"""The tables of what is reported.

``data`` is the whole message of the contract; the other columns are keys to find it by. ``observability_members`` holds
the members of metadata, additional_info and attributes by the digest of their values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, LargeBinary, MetaData, String, Table, Text, text

from mesh.migrations import Migrations

METADATA: Final = MetaData()
MIGRATIONS: Final = Migrations("observability", Path(__file__).with_name("migrations"))

EXPERIMENTS: Final = Table(
    "observability_experiments",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("name", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("observability_experiments_by_age", "tenant", "created_at", "id"),
)

RUNS: Final = Table(
    "observability_runs",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("experiment", String(36), nullable=False),
    Column("status", String(256), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("observability_runs_by_age", "tenant", "started_at", "id"),
    Index("observability_runs_by_experiment", "experiment", "started_at"),
)

METRICS: Final = Table(
    "observability_metrics",
    METADATA,
    Column("run", String(36), primary_key=True),
    Column("moment", String(21), primary_key=True),
    Column("step", String(20), primary_key=True),
    Column("name", String(256), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Index("observability_metrics_by_name", "run", "name", "moment", "step"),
)

ARTIFACTS: Final = Table(
    "observability_artifacts",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("experiment", String(36), nullable=False),
    Column("run", String(36)),
    Column("type", String(16), nullable=False),
    Column("stored_bytes", BigInteger, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("observability_artifacts_by_experiment", "experiment", "created_at", "id"),
    Index("observability_artifacts_by_run", "run"),
)

LOGS: Final = Table(
    "observability_logs",
    METADATA,
    Column("tenant", String(256), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("moment", String(21), nullable=False),
    Column("level", String(64), nullable=False),
    Column("run", String(36)),
    Column("message", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("observability_logs_by_moment", "tenant", "moment", "sequence"),
    Index("observability_logs_by_run", "run", "moment"),
)

COUNTERS: Final = Table(
    "observability_counters",
    METADATA,
    Column("tenant", String(256), primary_key=True),
    Column("last", BigInteger, nullable=False),
)

SPANS: Final = Table(
    "observability_spans",
    METADATA,
    Column("tenant", String(256), primary_key=True),
    Column("trace_id", String(32), primary_key=True),
    Column("span_id", String(16), primary_key=True),
    Column("moment", String(21), nullable=False),
    Column("name", Text, nullable=False),
    Column("session", String(256)),
    Column("turn", String(256)),
    Column("run", String(256)),
    Column("data", LargeBinary, nullable=False),
    Index("observability_spans_by_moment", "tenant", "moment"),
    Index("observability_spans_by_session", "tenant", "session", "moment"),
    *(
        Index(
            f"observability_spans_by_{column}", "tenant", column, "moment", sqlite_where=there, postgresql_where=there
        )
        for column, there in (("turn", text("turn IS NOT NULL")), ("run", text("run IS NOT NULL")))
    ),
)

MEMBERS: Final = Table(
    "observability_members",
    METADATA,
    Column("tenant", String(256), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("owner", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", String(64), nullable=False),
    Index("observability_members_by_value", "tenant", "kind", "name", "value", "owner"),
)
