"""An embedding service that is small and does the same each time, on a real channel."""

from __future__ import annotations

import json
import math
import re
from typing import Any
from zlib import crc32

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceServicer
from mesh.errors import BackendUnavailable, ResourceNotFound

DIMENSION = 64


def embed(text: str) -> list[float]:
    """Return a unit vector in which texts that share words are near each other."""
    values = [0.0] * DIMENSION
    for word in re.findall(r"\w+", text.lower()):
        values[crc32(word.encode()) % DIMENSION] += 1.0
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return [value / length for value in values]


class SmallEmbedder(InferenceServiceServicer):
    """Embeds by words, scores by the length of the answer and reads who does what; ``broken`` makes it refuse."""

    def __init__(self) -> None:
        """Begin whole."""
        self.broken = False
        self.texts: list[str] = []

    async def Embeddings(self, request: pb.EmbeddingsRequest, context: Any) -> pb.EmbeddingsResponse:
        """Embed with any model but ``none``."""
        if self.broken:
            raise BackendUnavailable("the embedder is away")
        if request.model == "none":
            raise ResourceNotFound("model", request.model)
        self.texts += request.contents
        return pb.EmbeddingsResponse(embeddings=[pb.Embedding(values=embed(text)) for text in request.contents])

    async def Score(self, request: pb.ScoreRequest, context: Any) -> pb.ScoreResponse:
        """Score the shorter answer higher."""
        lengths = [len(each.messages[1].completion.content.text) for each in request.inputs]
        return pb.ScoreResponse(scores=[pb.LabelScores(logits=[-float(length)]) for length in lengths])

    async def ChatCompletion(self, request: pb.ChatCompletionRequest, context: Any) -> pb.ChatCompletionResponse:
        """Answer with what sentences of the form "Ann leads Acme." say; the model ``chatty`` with something else."""
        assert request.guidance.HasField("json_schema")
        found = re.findall(r"(\w+) (\w+) (\w+)\.", request.messages[1].user.content.text)
        answer = {
            "entities": [{"name": name, "kind": "thing"} for one in found for name in (one[0], one[2])],
            "relations": [{"source": one[0], "relation": one[1], "target": one[2]} for one in found],
        }
        text = "Certainly!" if request.model == "chatty" else json.dumps(answer)
        return pb.ChatCompletionResponse(completion_message=CompletionMessage(content=Content(text=text)))


def small_embedder() -> SmallEmbedder:
    """Return one; what it does not define is refused as not served."""
    return SmallEmbedder()  # type: ignore[abstract]  # the service's other methods are not called
