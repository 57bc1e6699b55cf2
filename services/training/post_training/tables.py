"""The table of checkpoints that were put into service."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Column, Float, Index, MetaData, String, Table

from mesh.migrations import Migrations

METADATA: Final = MetaData()
MIGRATIONS: Final = Migrations("post_training", Path(__file__).with_name("migrations"))

REGISTRATIONS: Final = Table(
    "post_training_registrations",
    METADATA,
    Column("tenant", String(256), primary_key=True),
    Column("model_id", String(1024), primary_key=True),
    Column("checkpoint_id", String(256), nullable=False),
    Column("registered_at", Float, nullable=False),
    Index("post_training_registrations_by_checkpoint", "tenant", "checkpoint_id"),
)
