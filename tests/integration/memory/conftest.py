"""The memory service over every store that can run here."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from qdrant_client import AsyncQdrantClient

from services.memory.edge_store import EdgeStore
from services.memory.qdrant_store import QdrantStore
from services.memory.store import Store
from tests.integration.memory.qdrant_peer import QdrantPeer, qdrant_peer
from tests.integration.memory.serving import Served, serving


@pytest.fixture
def peer() -> Iterator[QdrantPeer]:
    """Run what speaks the protocol of a Qdrant server."""
    with qdrant_peer() as running:
        yield running


def remote_store(peer: QdrantPeer) -> QdrantStore:
    """Return a store over the peer."""
    with warnings.catch_warnings():
        # the key goes over loopback here
        warnings.simplefilter("ignore", UserWarning)
        client = AsyncQdrantClient(url=peer.url, api_key=peer.key, check_compatibility=False, timeout=10)
    return QdrantStore(client)


@pytest.fixture(params=["edge", "qdrant"])
async def served(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Served]:
    """Serve over each store in turn."""
    store: Store = (
        EdgeStore(tmp_path / "banks", max_open=2)
        if request.param == "edge"
        else remote_store(request.getfixturevalue("peer"))
    )
    async with serving(store, f"sqlite:///{tmp_path}/memory.db", [tmp_path / "files"]) as running:
        yield running


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Served]:
    """Serve over the embedded store."""
    async with serving(
        EdgeStore(tmp_path / "banks"), f"sqlite:///{tmp_path}/memory.db", [tmp_path / "files"]
    ) as running:
        yield running
