"""Results that a cross-encoder orders anew, through the call of the inference service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llamastack.inference.v1 import inference_pb2 as pb
from services.inference.engine import ModelKind, TextPair
from services.inference.engines.transformers import TransformersEngine, TransformersSettings
from services.memory.edge_store import EdgeStore
from tests.cross_encoder import make_cross_encoder
from tests.integration.memory.embedder import SmallEmbedder
from tests.integration.memory.serving import document, serving

TEXTS = {
    "cat": "the cat sleeps on the warm roof",
    "dog": "a dog runs",
    "fish": "goldfish swim in a bowl",
    "sea": "the sea is blue and wide",
}


class Judge(SmallEmbedder):
    """Scores by a cross-encoder."""

    def __init__(self, engine: TransformersEngine) -> None:
        super().__init__()
        self._engine = engine

    async def Score(self, request: pb.ScoreRequest, context: Any) -> pb.ScoreResponse:
        pairs = [
            TextPair(one.messages[0].user.content.text, one.messages[1].completion.content.text)
            for one in request.inputs
        ]
        scores = await self._engine.score(pairs)
        return pb.ScoreResponse(scores=[pb.LabelScores(logits=score.logits) for score in scores])


async def test_results_are_in_the_order_of_the_cross_encoder_which_a_query_can_leave_out(tmp_path: Path) -> None:
    import torch

    model, tokenizer = make_cross_encoder(tmp_path / "model")
    with torch.inference_mode():
        scores = {
            name: model(**tokenizer("red roof", text, return_tensors="pt")).logits[0, 0].item()
            for name, text in TEXTS.items()
        }
    engine = TransformersEngine(TransformersSettings(str(tmp_path / "model"), ModelKind.REWARD))
    await engine.start()
    try:
        judge = Judge(engine)  # type: ignore[abstract]  # the service's other methods are not called
        store, url = EdgeStore(tmp_path / "banks"), f"sqlite:///{tmp_path}/memory.db"
        async with serving(store, url, embedder=judge) as served:
            await served.create("pets", "hybrid", rerank_model="judge")
            await served.insert("pets", *(document(name, text) for name, text in TEXTS.items()))
            answer = await served.query("pets", "red roof")
            plain = await served.query("pets", "red roof", rerank_model="")
    finally:
        await engine.stop()
    best = sorted(scores, key=lambda name: -scores[name])
    assert [chunk.document_id for chunk in answer.chunks] == best
    assert list(answer.scores) == pytest.approx([scores[name] for name in best], abs=1e-4)
    assert plain.chunks[0].document_id == "cat"
