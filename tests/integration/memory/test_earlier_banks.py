"""Banks that were made before words were ranked by an index: their words were sparse vectors then."""

from __future__ import annotations

from pathlib import Path

import pytest
from qdrant_edge import (
    Bm25,
    Bm25Config,
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeSparseVectorParams,
    EdgeVectorParams,
    Modifier,
    Point,
    UpdateOperation,
)

from services.memory import points
from services.memory.conditions import Features
from services.memory.edge_store import EdgeStore
from services.memory.store import Piece, Search, Shape, Store, StoredChunk
from tests.integration.memory.conftest import remote_store
from tests.integration.memory.qdrant_peer import QdrantPeer

TEXTS = ("The cat sleeps on the warm roof.", "A dog runs after the postman.", "Red roofs.")


def chunks(*texts: str) -> list[StoredChunk]:
    """Return a chunk of its own revision for each text."""
    return [StoredChunk(text, Piece(0, text, 0, len(text), 5), Features(), [1.0, 0.0]) for text in texts]


def earlier_shard(folder: Path) -> None:
    """Make a bank as it was made then."""
    folder.mkdir(parents=True)
    dense = EdgeVectorParams(size=2, distance=Distance.Cosine)
    words = EdgeSparseVectorParams(modifier=Modifier.Idf)
    shard = EdgeShard.create(str(folder), EdgeConfig(vectors={"dense": dense}, sparse_vectors={"words": words}))
    weigh = Bm25(Bm25Config(language="english", ascii_folding=True)).embed_document
    made = [
        Point(
            points.point_id(one),
            {"dense": list(one.vector or ()), "words": weigh(one.piece.text)},
            points.payload(one),
        )
        for one in chunks(*TEXTS)
    ]
    shard.update(UpdateOperation.upsert_points(made))
    shard.close()


@pytest.fixture(params=["edge", "qdrant"])
async def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Give each store in turn with such a bank in it."""
    if request.param == "edge":
        earlier_shard(tmp_path / "b")
        return EdgeStore(tmp_path)
    peer: QdrantPeer = request.getfixturevalue("peer")
    before = remote_store(peer)
    # a collection without an index of its texts
    await before.create("b", Shape(2, words=False))
    await before.write("b", chunks(*TEXTS))
    await before.close()
    return remote_store(peer)


async def test_words_are_found_in_a_bank_from_before_there_was_an_index_of_them(earlier: Store) -> None:
    try:
        found = await earlier.matching("b", "the roof", Search(5))
        assert [hit.revision for hit in found] == ["Red roofs.", "The cat sleeps on the warm roof."]
        assert found[0].score > found[1].score > 0
        await earlier.write("b", chunks("Another roof for the birds."))
        await earlier.forget("b", ["Red roofs."])
        found = await earlier.matching("b", "the roof", Search(5))
        assert {hit.revision for hit in found} == {"The cat sleeps on the warm roof.", "Another roof for the birds."}
        assert len(await earlier.nearest("b", [1.0, 0.0], Search(5))) == 3
    finally:
        await earlier.close()
