"""The tables of banks and documents.

``memory_leftovers`` names what the vector store may hold though it counts for nothing: revisions that are being written
or were replaced, and, with an empty revision, whole banks that are being made or were dropped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import (
    BigInteger,
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
)

from mesh.migrations import Migrations

METADATA: Final = MetaData()
MIGRATIONS: Final = Migrations("memory", Path(__file__).with_name("migrations"))


def _revision() -> Column[str]:
    key = ForeignKey("memory_documents.revision", ondelete="CASCADE")
    return Column("revision", String(36), key, primary_key=True)


BANKS: Final = Table(
    "memory_banks",
    METADATA,
    Column("uid", String(36), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("bank_id", String(256), nullable=False),
    Column("name", String(1024), nullable=False),
    Column("config", LargeBinary, nullable=False),
    Column("dimension", Integer),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("tenant", "bank_id", name="memory_banks_by_id"),
)

DOCUMENTS: Final = Table(
    "memory_documents",
    METADATA,
    Column("bank", String(36), ForeignKey("memory_banks.uid", ondelete="CASCADE"), primary_key=True),
    Column("document_id", String(256), primary_key=True),
    Column("revision", String(36), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("mime_type", String(255), nullable=False),
    Column("source", Text),
    Column("metadata", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("content_bytes", BigInteger, nullable=False),
    Column("text", Text),
    Column("graph", LargeBinary),
    Column("chunk_count", Integer, nullable=False),
    Column("expires_at", Float),
    UniqueConstraint("revision", name="memory_documents_by_revision"),
    Index("memory_documents_by_expiry", "expires_at"),
)

# what documents of graph banks tell; it comes and goes with the revision of the document
PIECES: Final = Table(
    "memory_pieces",
    METADATA,
    _revision(),
    Column("position", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("page", Integer),
    Column("section", Text),
)

ENTITIES: Final = Table(
    "memory_entities",
    METADATA,
    _revision(),
    Column("key_hash", String(64), primary_key=True),
    Column("bank", String(36), nullable=False),
    Column("words_hash", String(64), nullable=False),
    Column("entity", LargeBinary, nullable=False),
    Index("memory_entities_by_key", "bank", "key_hash"),
    Index("memory_entities_by_words", "bank", "words_hash"),
)

RELATIONS: Final = Table(
    "memory_relations",
    METADATA,
    _revision(),
    Column("position", Integer, primary_key=True),
    Column("bank", String(36), nullable=False),
    Column("source_hash", String(64), nullable=False),
    Column("relation", String(256), nullable=False),
    Column("target_hash", String(64), nullable=False),
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    Index("memory_relations_by_source", "bank", "source_hash"),
    Index("memory_relations_by_target", "bank", "target_hash"),
)

LEFTOVERS: Final = Table(
    "memory_leftovers",
    METADATA,
    Column("bank", String(36), primary_key=True),
    Column("revision", String(36), primary_key=True),
    Column("since", Float, nullable=False),
)
