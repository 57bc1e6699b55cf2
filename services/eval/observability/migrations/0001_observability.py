"""Experiments, runs, metrics, artifacts, logs and spans."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _experiments()
    _reports()
    op.create_table(
        "observability_members",
        sa.Column("tenant", sa.String(256), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.String(64), nullable=False),
    )
    op.create_index(
        "observability_members_by_value", "observability_members", ["tenant", "kind", "name", "value", "owner"]
    )


def _experiments() -> None:
    op.create_table(
        "observability_experiments",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_index("observability_experiments_by_age", "observability_experiments", ["tenant", "created_at", "id"])
    op.create_table(
        "observability_runs",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("experiment", sa.String(36), nullable=False),
        sa.Column("status", sa.String(256), nullable=False),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_index("observability_runs_by_age", "observability_runs", ["tenant", "started_at", "id"])
    op.create_index("observability_runs_by_experiment", "observability_runs", ["experiment", "started_at"])
    op.create_table(
        "observability_metrics",
        sa.Column("run", sa.String(36), primary_key=True),
        sa.Column("moment", sa.String(21), primary_key=True),
        sa.Column("step", sa.String(20), primary_key=True),
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_index("observability_metrics_by_name", "observability_metrics", ["run", "name", "moment", "step"])
    op.create_table(
        "observability_artifacts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("experiment", sa.String(36), nullable=False),
        sa.Column("run", sa.String(36)),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_index(
        "observability_artifacts_by_experiment", "observability_artifacts", ["experiment", "created_at", "id"]
    )
    op.create_index("observability_artifacts_by_run", "observability_artifacts", ["run"])


def _reports() -> None:
    op.create_table(
        "observability_logs",
        sa.Column("tenant", sa.String(256), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("moment", sa.String(21), nullable=False),
        sa.Column("level", sa.String(64), nullable=False),
        sa.Column("run", sa.String(36)),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_index("observability_logs_by_moment", "observability_logs", ["tenant", "moment", "sequence"])
    op.create_index("observability_logs_by_run", "observability_logs", ["run", "moment"])
    op.create_table(
        "observability_counters",
        sa.Column("tenant", sa.String(256), primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "observability_spans",
        sa.Column("tenant", sa.String(256), primary_key=True),
        sa.Column("trace_id", sa.String(32), primary_key=True),
        sa.Column("span_id", sa.String(16), primary_key=True),
        sa.Column("moment", sa.String(21), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("session", sa.String(256)),
        sa.Column("turn", sa.String(256)),
        sa.Column("run", sa.String(256)),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_index("observability_spans_by_moment", "observability_spans", ["tenant", "moment"])
    op.create_index("observability_spans_by_session", "observability_spans", ["tenant", "session", "moment"])


def downgrade() -> None:
    """Drop the tables."""
    for name in ("members", "spans", "counters", "logs", "artifacts", "metrics", "runs", "experiments"):
        op.drop_table(f"observability_{name}")
