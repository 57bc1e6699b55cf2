"""Datasets, their revisions, who holds them and what is left over of them."""

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
        "training_datasets",
        sa.Column("uid", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("dataset_uuid", sa.String(256), nullable=False),
        sa.Column("request_sha256", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.UniqueConstraint("tenant", "dataset_uuid", name="training_datasets_by_uuid"),
    )
    op.create_table(
        "training_revisions",
        sa.Column("uid", sa.String(36), primary_key=True),
        sa.Column("dataset", sa.String(36), sa.ForeignKey("training_datasets.uid")),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("num_rows", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("columns", sa.LargeBinary, nullable=False),
        sa.Column("census", sa.LargeBinary, nullable=False),
        sa.Column("shards", sa.LargeBinary, nullable=False),
        sa.Column("origin", sa.Integer, nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("metadata", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.UniqueConstraint("dataset", "number", name="training_revisions_by_number"),
    )
    op.create_table(
        "training_holds",
        sa.Column("tenant", sa.String(256), primary_key=True),
        sa.Column("holder", sa.String(512), primary_key=True),
        sa.Column("revision", sa.String(36), sa.ForeignKey("training_revisions.uid"), nullable=False),
        sa.Column("dataset_uuid", sa.String(256)),
        sa.Column("revision_name", sa.String(256)),
        sa.Column("columns", sa.LargeBinary, nullable=False),
    )
    op.create_index("training_holds_by_revision", "training_holds", ["revision"])
    op.create_table(
        "training_leftovers",
        sa.Column("uid", sa.String(36), primary_key=True),
        sa.Column("since", sa.Float, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("training_leftovers", "training_holds", "training_revisions", "training_datasets"):
        op.drop_table(table)
