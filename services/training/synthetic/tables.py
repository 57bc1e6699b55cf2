"""The tables of generation jobs, beside those of ``mesh.jobs``: what a job has made so far, and its log."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, MetaData, String, Table, Text

from mesh.migrations import Migrations

METADATA: Final = MetaData()
MIGRATIONS: Final = Migrations("synthetic", Path(__file__).with_name("migrations"))

JOBS: Final = Table(
    "synthetic_jobs",
    METADATA,
    Column("tenant", String(256), primary_key=True),
    Column("job", String(256), primary_key=True),
    Column("holder", String(512), nullable=False),
    Column("cancelled_by", String(256)),
    Column("tidy", Boolean, nullable=False),
)

ANSWERS: Final = Table(
    "synthetic_answers",
    METADATA,
    Column("tenant", String(256), primary_key=True),
    Column("job", String(256), primary_key=True),
    Column("prompt", BigInteger, primary_key=True),
    Column("sample", Integer, primary_key=True),
    Column("message", LargeBinary),
    Column("tokens", Integer, nullable=False),
)

OUTCOMES: Final = Table(
    "synthetic_outcomes",
    METADATA,
    Column("tenant", String(256), primary_key=True),
    Column("job", String(256), primary_key=True),
    Column("prompt", BigInteger, primary_key=True),
    Column("scored", LargeBinary, nullable=False),
    Column("facts", LargeBinary, nullable=False),
)

LOGS: Final = Table(
    "synthetic_logs",
    METADATA,
    Column("tenant", String(256), primary_key=True),
    Column("job", String(256), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("at", Float, nullable=False),
    Column("line", Text, nullable=False),
)
