"""How well banks find what answers a question, over the committed corpus and the project's embedding model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from services.inference.app import builtin_embedding_model
from services.inference.engines.embedder import EmbeddingEngine
from services.memory.edge_store import EdgeStore
from tests.corpus.judgement import ndcg, passages, questions
from tests.integration.memory.serving import document, serving
from tests.integration.memory.test_real_embedder import RealEmbedder

DEPTH = 10


def test_gain_is_one_for_the_best_order_and_less_for_a_later_one() -> None:
    assert ndcg(["a", "b", "c"], {"a", "b"}) == pytest.approx(1)
    assert ndcg(["c", "a"], {"a"}) == pytest.approx(0.6309, abs=1e-4)
    assert ndcg(["c"], {"a"}) == 0


@pytest.mark.timeout(400)
async def test_a_hybrid_bank_finds_no_worse_than_the_better_of_its_parts(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    engine = EmbeddingEngine(str(builtin_embedding_model()))
    await engine.start()
    try:
        embedder = RealEmbedder(engine)  # type: ignore[abstract]  # the service's other methods are not called
        store = EdgeStore(tmp_path / "banks")
        async with serving(store, f"sqlite:///{tmp_path}/memory.db", embedder=embedder) as served:
            await served.create("corpus", "hybrid")
            await served.insert("corpus", *(document(name, text) for name, text in passages().items()))
            gains: dict[str, float] = {}
            for way, weights in {
                "dense": {"keyword_weight": 0.0},
                "keyword": {"vector_weight": 0.0},
                "hybrid": {},
            }.items():
                asked = questions()
                found = [await served.found("corpus", one.text, max_chunks=DEPTH, **weights) for one in asked]
                each = [ndcg(names, one.relevant, DEPTH) for names, one in zip(found, asked, strict=True)]
                gains[way] = sum(each) / len(each)
                record_property(f"ndcg_{way}", round(gains[way], 4))
    finally:
        await engine.stop()
    print({way: round(gain, 4) for way, gain in gains.items()})
    assert gains["hybrid"] >= max(gains["dense"], gains["keyword"])
    assert min(gains.values()) > 0.4
