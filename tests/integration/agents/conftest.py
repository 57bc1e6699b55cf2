"""The agents service over a SQLite file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.agents.serving import Played, Served, serving


@pytest.fixture
def around() -> Played:
    """What is around the service of a test."""
    return Played()


@pytest.fixture
async def served(tmp_path: Path, around: Played) -> AsyncIterator[Served]:
    """Serve over a new file."""
    async with serving(around, f"sqlite:///{tmp_path}/agents.db") as running:
        yield running
