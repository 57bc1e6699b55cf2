"""An inference service that embeds and does nothing else: ``python bench/banks/embedder.py ADDRESS FILE|builtin``.

With a ``.npy`` file the vector of a text is the row that the text's last word names; with ``builtin`` it is what the
project's own embedding model makes of the text.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import (
    InferenceServiceServicer,
    add_InferenceServiceServicer_to_server,
)
from services.inference.app import builtin_embedding_model
from services.inference.engines.embedder import EmbeddingEngine


class Canned(InferenceServiceServicer):
    """Hands out the rows of a file."""

    def __init__(self, file: Path) -> None:
        self._rows = np.load(file, mmap_mode="r")

    async def Embeddings(self, request: pb.EmbeddingsRequest, context: Any) -> pb.EmbeddingsResponse:
        """Return a row for each text."""
        return pb.EmbeddingsResponse(embeddings=[pb.Embedding(values=self._row(text)) for text in request.contents])

    def _row(self, text: str) -> Sequence[float]:
        word = text.split()[-1]
        row: list[float] = self._rows[int(word) if word.isdigit() else 0].tolist()
        return row


class Real(InferenceServiceServicer):
    """Embeds by the project's model."""

    def __init__(self, engine: EmbeddingEngine) -> None:
        self._engine = engine

    async def Embeddings(self, request: pb.EmbeddingsRequest, context: Any) -> pb.EmbeddingsResponse:
        """Return a vector for each text."""
        vectors = await self._engine.embed(list(request.contents))
        return pb.EmbeddingsResponse(embeddings=[pb.Embedding(values=values) for values in vectors.values])


async def main(address: str, what: str) -> None:
    """Serve until killed."""
    servicer: InferenceServiceServicer
    if what == "builtin":
        engine = EmbeddingEngine(str(builtin_embedding_model()))
        await engine.start()
        servicer = Real(engine)  # type: ignore[abstract]  # the other methods are not called
    else:
        servicer = Canned(Path(what))  # type: ignore[abstract]  # the other methods are not called
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 1 << 26)])
    add_InferenceServiceServicer_to_server(servicer, server)
    server.add_insecure_port(address)
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
