"""The training service for a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.training.serving import Served, serving


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """Serve training on an empty folder."""
    (tmp_path / "files").mkdir()
    async with serving(tmp_path / "data") as running:
        yield running
