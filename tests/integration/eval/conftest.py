"""What the tests of the evaluation service share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.eval.record import Recorded, recording


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database of each kind in turn."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/eval.db"


@pytest.fixture
async def record(database_url: str, tmp_path: Path) -> AsyncIterator[Recorded]:
    """Serve the record over each database in turn."""
    async with recording(tmp_path, database_url) as running:
        yield running


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Recorded]:
    """Serve the record over SQLite."""
    async with recording(tmp_path) as running:
        yield running
