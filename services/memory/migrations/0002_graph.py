"""What documents of graph banks tell."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of pieces, entities and relations."""
    op.add_column("memory_documents", sa.Column("graph", sa.LargeBinary))
    op.create_table(
        "memory_pieces",
        _revision(),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.Integer, nullable=False),
        sa.Column("page", sa.Integer),
        sa.Column("section", sa.Text),
    )
    op.create_table(
        "memory_entities",
        _revision(),
        sa.Column("key_hash", sa.String(64), primary_key=True),
        sa.Column("bank", sa.String(36), nullable=False),
        sa.Column("words_hash", sa.String(64), nullable=False),
        sa.Column("entity", sa.LargeBinary, nullable=False),
    )
    op.create_index("memory_entities_by_key", "memory_entities", ["bank", "key_hash"])
    op.create_index("memory_entities_by_words", "memory_entities", ["bank", "words_hash"])
    op.create_table(
        "memory_relations",
        _revision(),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("bank", sa.String(36), nullable=False),
        sa.Column("source_hash", sa.String(64), nullable=False),
        sa.Column("relation", sa.String(256), nullable=False),
        sa.Column("target_hash", sa.String(64), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
    )
    op.create_index("memory_relations_by_source", "memory_relations", ["bank", "source_hash"])
    op.create_index("memory_relations_by_target", "memory_relations", ["bank", "target_hash"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("memory_relations", "memory_entities", "memory_pieces"):
        op.drop_table(table)
    with op.batch_alter_table("memory_documents") as documents:
        documents.drop_column("graph")


def _revision() -> sa.Column[str]:
    key = sa.ForeignKey("memory_documents.revision", ondelete="CASCADE")
    return sa.Column("revision", sa.String(36), key, primary_key=True)
