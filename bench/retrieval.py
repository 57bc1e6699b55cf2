"""How well banks find what answers a question: nDCG@10 of dense, keyword, hybrid and hybrid with a reranker.

Over the corpus in ``tests/corpus``, by the project's embedding model. No reranker comes with the project, so one is
trained for some minutes (``bench/banks/reranker.py``), which is no match for one that was trained on real questions;
give the folder of such a cross-encoder or reward model of one label, in the format of transformers, to measure that.

Usage: ``python bench/retrieval.py [--rerank FOLDER | --train MINUTES]``
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from bench.banks.reranker import train
from llamastack.inference.v1 import inference_pb2 as pb
from services.inference.app import builtin_embedding_model
from services.inference.engine import ModelKind, TextPair
from services.inference.engines.embedder import EmbeddingEngine
from services.inference.engines.transformers import TransformersEngine, TransformersSettings
from services.memory.edge_store import EdgeStore
from tests.corpus.judgement import ndcg, passages, questions
from tests.integration.memory.serving import Served, document, serving
from tests.integration.memory.test_real_embedder import RealEmbedder

DEPTH = 10
WAYS: dict[str, dict[str, Any]] = {
    "dense": {"keyword_weight": 0.0},
    "keyword": {"vector_weight": 0.0},
    "hybrid": {},
}
RERANKED: dict[str, Any] = {"rerank_model": "reranker"}


class Judging(RealEmbedder):
    """Embeds, and scores pairs by a reranker."""

    def __init__(self, engine: EmbeddingEngine, reranker: TransformersEngine | None) -> None:
        super().__init__(engine)
        self._reranker = reranker

    async def Score(self, request: pb.ScoreRequest, context: Any) -> pb.ScoreResponse:
        """Score a question with each passage."""
        assert self._reranker is not None
        pairs = [
            TextPair(one.messages[0].user.content.text, one.messages[1].completion.content.text)
            for one in request.inputs
        ]
        scores = await self._reranker.score(pairs)
        return pb.ScoreResponse(scores=[pb.LabelScores(logits=score.logits) for score in scores])


async def gain(served: Served, settings: dict[str, Any]) -> float:
    """Return the mean nDCG of the questions."""
    gains = []
    for question in questions():
        found = await served.found("corpus", question.text, max_chunks=DEPTH, **settings)
        gains.append(ndcg(found, question.relevant, DEPTH))
    return fmean(gains)


async def compare(folder: Path, rerank: str) -> None:
    """Fill a bank and print what each way finds."""
    embedder = EmbeddingEngine(str(builtin_embedding_model()))
    await embedder.start()
    reranker = TransformersEngine(TransformersSettings(rerank, ModelKind.REWARD)) if rerank else None
    if reranker is not None:
        await reranker.start()
    judging = Judging(embedder, reranker)  # type: ignore[abstract]  # the other methods are not called
    try:
        async with serving(EdgeStore(folder / "banks"), f"sqlite:///{folder}/m.db", embedder=judging) as served:
            await served.create("corpus", "hybrid")
            await served.insert("corpus", *(document(name, text) for name, text in passages().items()))
            ways = WAYS | ({"hybrid + rerank": RERANKED} if rerank else {})
            print(f"{len(passages())} passages, {len(questions())} questions, nDCG@{DEPTH}")
            gains = {name: await gain(served, settings) for name, settings in ways.items()}
    finally:
        await embedder.stop()
        if reranker is not None:
            await reranker.stop()
    for name, one in gains.items():
        print(f"  {name:<16} {one:.4f}")
    if not rerank:
        print("  hybrid + rerank  not measured: --train 0 leaves it out")
    good = gains["hybrid"] >= max(gains["dense"], gains["keyword"])
    print(f"  hybrid not below the better of its parts: {'yes' if good else 'NO'}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rerank", default="", help="The folder of a cross-encoder or reward model.")
    parser.add_argument(
        "--train", type=float, default=10.0, help="Minutes to train one for, where none is given; 0 to leave it out."
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rerank = arguments.rerank
        if not rerank and arguments.train:
            rerank = str(Path(folder) / "reranker")
            train(Path(rerank), arguments.train)
        asyncio.run(compare(Path(folder), rerank))


if __name__ == "__main__":
    main()
