"""A bank over the embedding model that comes with the project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llamastack.inference.v1 import inference_pb2 as pb
from services.inference.app import builtin_embedding_model
from services.inference.engines.embedder import EmbeddingEngine
from services.memory.edge_store import EdgeStore
from tests.integration.memory.embedder import SmallEmbedder
from tests.integration.memory.serving import document, serving


class RealEmbedder(SmallEmbedder):
    """Embeds by a model."""

    def __init__(self, engine: EmbeddingEngine) -> None:
        super().__init__()
        self._engine = engine

    async def Embeddings(self, request: pb.EmbeddingsRequest, context: Any) -> pb.EmbeddingsResponse:
        vectors = await self._engine.embed(list(request.contents))
        return pb.EmbeddingsResponse(embeddings=[pb.Embedding(values=vector) for vector in vectors.values])


async def test_what_means_the_same_is_found_without_a_word_in_common(tmp_path: Path) -> None:
    engine = EmbeddingEngine(str(builtin_embedding_model()))
    await engine.start()
    try:
        embedder = RealEmbedder(engine)  # type: ignore[abstract]  # the service's other methods are not called
        store = EdgeStore(tmp_path / "banks")
        async with serving(store, f"sqlite:///{tmp_path}/memory.db", embedder=embedder) as served:
            await served.create("notes")
            await served.insert(
                "notes",
                document("pet", "A kitten was napping on the couch."),
                document("money", "The central bank raised its interest rate."),
                document("sky", "Rain is expected over the weekend."),
            )
            questions = ["Where does the young cat sleep?", "What is the weather like on Saturday?", "monetary policy"]
            assert [(await served.found("notes", text))[0] for text in questions] == ["pet", "sky", "money"]
    finally:
        await engine.stop()
