"""The tables of registered tools and MCP servers; a row holds the request that registered it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Column, Float, LargeBinary, MetaData, String, Table

from mesh.migrations import Migrations

METADATA: Final = MetaData()
MIGRATIONS: Final = Migrations("tools", Path(__file__).with_name("migrations"))

REST_TOOLS: Final = Table(
    "rest_tools",
    METADATA,
    Column("tenant", String(256), primary_key=True),
    Column("name", String(256), primary_key=True),
    Column("spec", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
)

MCP_SERVERS: Final = Table(
    "mcp_servers",
    METADATA,
    Column("tenant", String(256), primary_key=True),
    Column("name", String(256), primary_key=True),
    Column("spec", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
)
