"""Banks, documents and what is left over in the vector store."""

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
        "memory_banks",
        sa.Column("uid", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("bank_id", sa.String(256), nullable=False),
        sa.Column("name", sa.String(1024), nullable=False),
        sa.Column("config", sa.LargeBinary, nullable=False),
        sa.Column("dimension", sa.Integer),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.UniqueConstraint("tenant", "bank_id", name="memory_banks_by_id"),
    )
    op.create_table(
        "memory_documents",
        sa.Column("bank", sa.String(36), sa.ForeignKey("memory_banks.uid", ondelete="CASCADE"), primary_key=True),
        sa.Column("document_id", sa.String(256), primary_key=True),
        sa.Column("revision", sa.String(36), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("mime_type", sa.String(255), nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("metadata", sa.LargeBinary, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("content_bytes", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("chunk_count", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.UniqueConstraint("revision", name="memory_documents_by_revision"),
    )
    op.create_index("memory_documents_by_expiry", "memory_documents", ["expires_at"])
    op.create_table(
        "memory_leftovers",
        sa.Column("bank", sa.String(36), primary_key=True),
        sa.Column("revision", sa.String(36), primary_key=True),
        sa.Column("since", sa.Float, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("memory_leftovers", "memory_documents", "memory_banks"):
        op.drop_table(table)
