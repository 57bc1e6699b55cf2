"""The inference service, as this service needs it: vectors of texts, scores of passages, and answers in JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import grpc.aio

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, StopReason, SystemMessage, UserMessage
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.inference.v1.inference_pb2 import (
    ChatCompletionRequest,
    EmbeddingsRequest,
    Guidance,
    MessageList,
    ScoreRequest,
)
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from mesh.errors import BackendUnavailable, from_rpc
from mesh.json_text import value_of

if TYPE_CHECKING:
    from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub

_MOST_TOKENS: Final = 2048
"""Tokens of an answer in JSON."""
_AT_ONCE: Final = 2
"""Calls under way for one request: one is computed while the next one travels."""


class Inference:
    """Calls the inference service as whoever calls this one."""

    def __init__(self, channel: grpc.aio.Channel, batch: int) -> None:
        """``batch`` is the number of texts per call."""
        self._stub: InferenceServiceAsyncStub = InferenceServiceStub(channel)
        self._batch = batch

    async def embed(self, model: str, texts: Sequence[str]) -> list[Sequence[float]]:
        """Return a vector of unit length for each text.

        Raises:
            MeshError: what the service answered with; BackendUnavailable when it can't be reached.
        """
        room = asyncio.Semaphore(_AT_ONCE)

        async def some(start: int) -> list[Sequence[float]]:
            async with room:
                return await self._embed(model, texts[start : start + self._batch])

        tasks = [asyncio.ensure_future(some(start)) for start in range(0, len(texts), self._batch)]
        try:
            return [vector for vectors in await asyncio.gather(*tasks) for vector in vectors]
        finally:
            for task in tasks:
                task.cancel()

    async def dimension(self, model: str) -> int:
        """Return the number of components of the model's vectors."""
        return len((await self._embed(model, ["dimension"]))[0])

    async def score(self, model: str, query: str, passages: Sequence[str]) -> list[float]:
        """Return what a reward model says of each passage as an answer to the query; higher is better.

        Raises:
            MeshError: what the service answered with; BackendUnavailable when it can't be reached.
        """
        asked = Message(user=UserMessage(content=Content(text=query)))
        request = ScoreRequest(
            model=model, inputs=[MessageList(messages=[asked, _answer(passage)]) for passage in passages]
        )
        try:
            response = await self._stub.Score(request)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        if len(response.scores) != len(passages) or any(len(scores.logits) != 1 for scores in response.scores):
            raise BackendUnavailable(f"model {model} does not give one score per passage")
        return [scores.logits[0] for scores in response.scores]

    async def write(self, model: str, instructions: str, text: str, schema: dict[str, Any]) -> str:
        """Return the model's answer to a text: JSON of a schema, cut where the model ran out of tokens.

        Raises:
            MeshError: what the service answered with; BackendUnavailable when it can't be reached.
        """
        request = ChatCompletionRequest(
            model=model,
            messages=[
                Message(system=SystemMessage(content=Content(text=instructions))),
                Message(user=UserMessage(content=Content(text=text))),
            ],
            guidance=Guidance(json_schema=value_of(schema).object_value),
            sampling_params=SamplingParams(max_tokens=_MOST_TOKENS),
        )
        try:
            response = await self._stub.ChatCompletion(request)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        return response.completion_message.content.text

    async def _embed(self, model: str, texts: Sequence[str]) -> list[Sequence[float]]:
        try:
            response = await self._stub.Embeddings(EmbeddingsRequest(model=model, contents=texts))
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        if len(response.embeddings) != len(texts):
            raise BackendUnavailable(f"model {model} did not answer with one vector per text")
        return [embedding.values for embedding in response.embeddings]


def _answer(passage: str) -> Message:
    content = Content(text=passage)
    return Message(completion=CompletionMessage(content=content, stop_reason=StopReason.STOP_REASON_END_OF_TURN))
