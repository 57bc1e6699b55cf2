"""The tables of datasets, their revisions and who holds them.

A revision without a dataset belongs to those who hold it alone: its dataset was deleted, or it never had one.
``training_leftovers`` names files that may be there though they count for nothing: revisions that are being written or
were deleted.
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
MIGRATIONS: Final = Migrations("datasets", Path(__file__).with_name("migrations"))

DATASETS: Final = Table(
    "training_datasets",
    METADATA,
    Column("uid", String(36), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("dataset_uuid", String(256), nullable=False),
    Column("request_sha256", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("tenant", "dataset_uuid", name="training_datasets_by_uuid"),
)

REVISIONS: Final = Table(
    "training_revisions",
    METADATA,
    Column("uid", String(36), primary_key=True),
    Column("dataset", String(36), ForeignKey("training_datasets.uid")),
    Column("number", Integer, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("num_rows", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("columns", LargeBinary, nullable=False),
    Column("census", LargeBinary, nullable=False),
    Column("shards", LargeBinary, nullable=False),
    Column("origin", Integer, nullable=False),
    Column("source", Text),
    Column("metadata", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("dataset", "number", name="training_revisions_by_number"),
)

HOLDS: Final = Table(
    "training_holds",
    METADATA,
    Column("tenant", String(256), primary_key=True),
    Column("holder", String(512), primary_key=True),
    Column("revision", String(36), ForeignKey("training_revisions.uid"), nullable=False),
    Column("dataset_uuid", String(256)),
    Column("revision_name", String(256)),
    Column("columns", LargeBinary, nullable=False),
    Index("training_holds_by_revision", "revision"),
)

LEFTOVERS: Final = Table(
    "training_leftovers",
    METADATA,
    Column("uid", String(36), primary_key=True),
    Column("since", Float, nullable=False),
)
