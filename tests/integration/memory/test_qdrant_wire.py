"""What goes over the wire to a Qdrant server, seen by a peer that speaks its protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mesh.config import ConfigError, load
from mesh.errors import BackendUnavailable, DataLoss
from services.memory.app import store_of
from services.memory.conditions import Condition, Conditions, FactIn, Features, NumberIn
from services.memory.config import MemoryConfig
from services.memory.store import Piece, Search, Shape, Store, StoredChunk
from tests.integration.memory.conftest import remote_store
from tests.integration.memory.qdrant_peer import QdrantPeer, qdrant_peer
from tests.integration.mesh.certificates import Authority

CHUNK = StoredChunk("r1", Piece(0, "The roof is red.", 0, 16, 5, page=2), Features(["f1"], {"n1": [4.0]}), [1.0, 0.0])
PAYLOAD = {
    "revision": "r1",
    "facts": ["f1"],
    "index": 0,
    "text": "The roof is red.",
    "start": 0,
    "end": 16,
    "tokens": 5,
    "page": 2,
    "section": None,
    "n1": [4.0],
}


def configured(peer: QdrantPeer, tmp_path: Path, **settings: str) -> Store:
    """Return the store that the service makes of its settings."""
    environment = {
        "ALTIPLANO_MEMORY_QDRANT_URL": peer.url,
        "ALTIPLANO_MEMORY_QDRANT_API_KEY": peer.key,
        **{f"ALTIPLANO_MEMORY_{name}": value for name, value in settings.items()},
    }
    return store_of(load(MemoryConfig, environment, service="memory").store, tmp_path)


async def test_a_bank_is_made_as_it_is_configured_over_tls_with_the_key(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with qdrant_peer(tls=authority.issue("qdrant")) as peer:
        settings = {"QDRANT_SHARDS": "3", "QDRANT_REPLICATION": "2", "QDRANT_CA": str(authority.file)}
        store = configured(peer, tmp_path, **settings)
        await store.create("b", Shape(2, words=True))
        await store.close()
        made = [(one.method, one.path, one.body) for one in peer.requests if one.method == "PUT"]
        distrusting = configured(peer, tmp_path)
        with pytest.raises(BackendUnavailable, match="the vector store can't be reached"):
            await distrusting.check()
        await distrusting.close()
    text = {
        "type": "text",
        "tokenizer": "word",
        "lowercase": True,
        "ascii_folding": True,
        "stopwords": "english",
        "stemmer": {"type": "snowball", "language": "english"},
        "scoring": True,
    }
    assert made == [
        (
            "PUT",
            "/collections/altiplano-b",
            {
                "vectors": {"dense": {"size": 2, "distance": "Cosine"}},
                "shard_number": 3,
                "replication_factor": 2,
                "write_consistency_factor": 2,
            },
        ),
        ("PUT", "/collections/altiplano-b/index", {"field_name": "revision", "field_schema": "keyword"}),
        ("PUT", "/collections/altiplano-b/index", {"field_name": "facts", "field_schema": "keyword"}),
        ("PUT", "/collections/altiplano-b/index", {"field_name": "text", "field_schema": text}),
    ]


async def test_a_write_waits_for_the_server_and_a_query_asks_for_what_is_needed_alone(peer: QdrantPeer) -> None:
    store = remote_store(peer)
    await store.create("b", Shape(2, words=True))
    await store.write("b", [CHUNK])
    number = Condition(NumberIn("n1", gte=4.0))
    conditions = Conditions(all=(number,), any=(Condition(FactIn(("f1", "f2"))),), none=())
    hits = await store.nearest("b", [1.0, 0.0], Search(5, conditions, without=("r0",), exact=True, with_vectors=True))
    words = await store.matching("b", "red roofs", Search(5))
    await store.forget("b", ["r1"])
    await store.close()
    assert [(hit.revision, hit.piece, list(hit.vector or ())) for hit in hits] == [("r1", CHUNK.piece, [1.0, 0.0])]
    assert [hit.piece for hit in words] == [CHUNK.piece]
    upsert = peer.sent("PUT", "/points")[0]
    assert (upsert.query, upsert.body["points"][0]["payload"]) == ({"wait": ["true"]}, PAYLOAD)
    assert upsert.body["points"][0]["vector"] == {"dense": [1.0, 0.0]}
    by_meaning, by_words = (one.body for one in peer.sent("POST", "/points/query"))
    shared: dict[str, Any] = {"limit": 5, "with_payload": True}
    assert by_meaning == {
        **shared,
        "query": {"nearest": [1.0, 0.0]},
        "using": "dense",
        "with_vector": ["dense"],
        "params": {"exact": True},
        "filter": {
            "must": [
                {"must": [{"key": "n1", "range": {"gte": 4.0}}]},
                {"should": [{"must": [{"key": "facts", "match": {"any": ["f1", "f2"]}}]}]},
            ],
            "must_not": [{"key": "revision", "match": {"any": ["r0"]}}],
        },
    }
    assert by_words == {
        **shared,
        "query": {"text": "red roofs"},
        "using": "text",
        "with_vector": False,
        "params": {"exact": False},
    }
    gone = peer.sent("POST", "/points/delete")[0]
    chosen = {"filter": {"must": [{"key": "revision", "match": {"any": ["r1"]}}]}}
    assert (gone.query, gone.body) == ({"wait": ["true"]}, chosen)


async def test_what_the_server_refuses_is_told_without_its_words(peer: QdrantPeer) -> None:
    store = remote_store(peer)
    with pytest.raises(DataLoss, match="the chunks of this memory bank are not in the store"):
        await store.nearest("none", [1.0], Search(1))
    peer.broken = 503
    with pytest.raises(BackendUnavailable, match="the vector store answered with status 503"):
        await store.check()
    peer.broken, peer.key = 0, "another"
    with pytest.raises(BackendUnavailable, match="the vector store answered with status 401"):
        await store.check()
    await store.close()


def test_a_url_of_another_scheme_is_refused() -> None:
    with pytest.raises(ConfigError, match="http:// or https:// is needed"):
        load(MemoryConfig, {"ALTIPLANO_MEMORY_QDRANT_URL": "grpc://qdrant"}, service="memory")
