"""The memory service over every store that can run here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from qdrant_client import AsyncQdrantClient

from services.memory.edge_store import EdgeStore
from services.memory.qdrant_store import QdrantStore
from services.memory.store import Store
from tests.integration.memory.serving import Served, serving


def make_store(kind: str, folder: Path) -> Store:
    """Return an empty store of a kind; the client's local mode stands in for a Qdrant server."""
    if kind == "edge":
        return EdgeStore(folder / "banks", max_open=2)
    return QdrantStore(AsyncQdrantClient(location=":memory:"))


@pytest.fixture(params=["edge", "qdrant"])
async def served(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Served]:
    """Serve over each store in turn."""
    url = f"sqlite:///{tmp_path}/memory.db"
    async with serving(make_store(request.param, tmp_path), url, [tmp_path / "files"]) as running:
        yield running


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Served]:
    """Serve over the embedded store."""
    async with serving(
        EdgeStore(tmp_path / "banks"), f"sqlite:///{tmp_path}/memory.db", [tmp_path / "files"]
    ) as running:
        yield running
