"""Inserts that replace the row of the same primary key; SQLite and PostgreSQL spell them alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from mesh.storage import POSTGRESQL


async def upsert(session: AsyncSession, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the rows; one whose key is there already takes the old one's place."""
    if not rows:
        return
    insert = postgresql.insert if session.get_bind().dialect.name == POSTGRESQL else sqlite.insert
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    await session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), [*map(dict, rows)])
