"""An inference service that says words at a pace and embeds by counting them: what other services stand on here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, StopReason
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceServicer
from llamastack.models.v1 import models_pb2
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceServicer

MODEL: Final = "parrot"
WORDS: Final = 30
PACE_S: Final = 0.05
"""Seconds between the words of a stream, so that one takes about a second and a half."""
_DIMENSION: Final = 32


class Parrot(InferenceServiceServicer, ModelsServiceServicer):
    """Answers whatever it is asked with the same words; whole answers come at once."""

    async def ChatCompletion(self, request: pb.ChatCompletionRequest, context: Any) -> pb.ChatCompletionResponse:
        message = CompletionMessage(content=Content(text="yes"), stop_reason=StopReason.STOP_REASON_END_OF_TURN)
        return pb.ChatCompletionResponse(completion_message=message)

    async def StreamChatCompletion(
        self, request: pb.ChatCompletionRequest, context: Any
    ) -> AsyncIterator[pb.ChatCompletionResponseStreamChunk]:
        hurried = request.messages[-1].user.content.text == "quick"
        yield _chunk(pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_START)
        for _ in range(1 if hurried else WORDS):
            if not hurried:
                await asyncio.sleep(PACE_S)
            yield _chunk(pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_PROGRESS, "yes ")
        yield _chunk(pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_COMPLETE, reason=StopReason.STOP_REASON_END_OF_TURN)

    async def Completion(self, request: pb.CompletionRequest, context: Any) -> pb.CompletionResponse:
        message = CompletionMessage(content=Content(text="yes"), stop_reason=StopReason.STOP_REASON_END_OF_TURN)
        return pb.CompletionResponse(completion_message=message)

    async def StreamCompletion(
        self, request: pb.CompletionRequest, context: Any
    ) -> AsyncIterator[pb.CompletionResponseStreamChunk]:
        yield pb.CompletionResponseStreamChunk(delta="yes")

    async def Score(self, request: pb.ScoreRequest, context: Any) -> pb.ScoreResponse:
        return pb.ScoreResponse(scores=[pb.LabelScores(logits=[1.0], labels=["good"]) for _ in request.inputs])

    async def Embeddings(self, request: pb.EmbeddingsRequest, context: Any) -> pb.EmbeddingsResponse:
        return pb.EmbeddingsResponse(embeddings=[pb.Embedding(values=_vector(text)) for text in request.contents])

    async def GetModel(self, request: models_pb2.GetModelRequest, context: Any) -> models_pb2.Model:
        return models_pb2.Model(model_id=request.model_id, kind=models_pb2.MODEL_KIND_LLM, context_length=4096)


def parrot() -> Parrot:
    """Return one; what it does not define is refused as not served."""
    return Parrot()  # type: ignore[abstract]  # the services' other methods are not called


def _vector(text: str) -> list[float]:
    values = [1.0] * _DIMENSION
    for letter in text.encode():
        values[letter % _DIMENSION] += 1.0
    return values


def _chunk(
    kind: pb.ChatCompletionResponseEventType.ValueType,
    text: str = "",
    reason: StopReason.ValueType = StopReason.STOP_REASON_UNSPECIFIED,
) -> pb.ChatCompletionResponseStreamChunk:
    event = pb.ChatCompletionResponseEvent(event_type=kind, delta=pb.ChatCompletionDelta(text=text), stop_reason=reason)
    return pb.ChatCompletionResponseStreamChunk(event=event)
