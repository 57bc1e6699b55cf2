"""Where a request is answered: by the engines of this process, or where the model is served already.

A backend speaks the messages of ``llamastack.inference.v1`` and ``llamastack.openai.v1``, because who forwards a
request has neither a tokenizer nor the weights.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.openai.v1 import chat_pb2, completion_pb2, embedding_pb2
from services.inference.engine import Model


class Backend(Protocol):
    """Answers the requests of one model or of many; closing a stream aborts its request.

    Errors of all methods are those that the contract of InferenceService names.
    """

    async def complete(self, request: pb.CompletionRequest) -> pb.CompletionResponse:
        """Continue a text."""

    def stream_completion(self, request: pb.CompletionRequest) -> AsyncGenerator[pb.CompletionResponseStreamChunk]:
        """Continue a text as it comes."""

    async def chat(self, request: pb.ChatCompletionRequest) -> pb.ChatCompletionResponse:
        """Give the next message of a conversation."""

    def stream_chat(self, request: pb.ChatCompletionRequest) -> AsyncGenerator[pb.ChatCompletionResponseEvent]:
        """Give the next message of a conversation as it comes: start, progress, complete."""

    async def embed(self, request: pb.EmbeddingsRequest) -> pb.EmbeddingsResponse:
        """Turn texts into vectors of unit length."""

    async def score(self, request: pb.ScoreRequest) -> pb.ScoreResponse:
        """Run a classification or reward model over conversations."""


class OpenAIBackend(Protocol):
    """The same in the words of OpenAI's API; the errors are those that the contract of OpenAIService names."""

    async def chat(self, request: chat_pb2.ChatCompletionRequest) -> chat_pb2.ChatCompletionResponse:
        """Give the next message of a conversation."""

    def stream_chat(self, request: chat_pb2.ChatCompletionRequest) -> AsyncGenerator[chat_pb2.ChatCompletionChunk]:
        """Give the next message of a conversation as it comes."""

    async def complete(self, request: completion_pb2.CompletionRequest) -> completion_pb2.CompletionResponse:
        """Continue texts."""

    def stream_completion(
        self, request: completion_pb2.CompletionRequest
    ) -> AsyncGenerator[completion_pb2.CompletionResponse]:
        """Continue texts as they come."""

    async def embed(self, request: embedding_pb2.EmbeddingsRequest) -> embedding_pb2.EmbeddingsResponse:
        """Turn texts into vectors."""


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """One place that serves a model: whether it answers, and the requests that this service has there.

    One that is ``leaving`` gets no more of them.
    """

    address: str
    serving: bool
    active: int
    leaving: bool = False


class Remote(Model, Backend, Protocol):
    """A model that is served elsewhere."""

    @property
    def openai(self) -> OpenAIBackend:
        """The same model for requests of OpenAI's API."""

    def replicas(self) -> Sequence[ReplicaStatus]:
        """Return where."""
