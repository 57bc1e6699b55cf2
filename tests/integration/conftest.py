"""What integration tests of all services share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count

import asyncpg  # type: ignore[import-untyped]  # the package has no types
import pytest

from tests.postgres import running_postgres

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Run PostgreSQL for the session; the value is a URL with ``{name}`` in place of the database."""
    with running_postgres() as url:
        yield url


@pytest.fixture
async def postgres_url(postgres_server: str) -> AsyncIterator[str]:
    """Make an empty database for one test; the value is its URL."""
    name = f"test_{next(_numbers)}"
    connection = await asyncpg.connect(postgres_server.format(name="postgres"))
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        yield postgres_server.format(name=name)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()
