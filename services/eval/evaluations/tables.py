"""The tables of evaluation jobs: their scored samples and their logs; the jobs are those of ``mesh.jobs``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, MetaData, String, Table, Text

from mesh.migrations import Migrations

METADATA: Final = MetaData()
MIGRATIONS: Final = Migrations("evaluations", Path(__file__).with_name("migrations"))

SAMPLES: Final = Table(
    "evaluation_samples",
    METADATA,
    Column("tenant", String(256), primary_key=True),
    Column("job", String(256), primary_key=True),
    Column("index", BigInteger, primary_key=True),
    Column("failed", Boolean, nullable=False),
    Column("statistics", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("evaluation_samples_by_failure", "tenant", "job", "failed", "index"),
)

LINES: Final = Table(
    "evaluation_log_lines",
    METADATA,
    Column("tenant", String(256), primary_key=True),
    Column("job", String(256), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("line", LargeBinary, nullable=False),
)
