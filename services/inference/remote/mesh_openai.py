"""Requests of OpenAI's API for a model that inference workers of the mesh serve."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from llamastack.openai.v1 import chat_pb2, completion_pb2, embedding_pb2
from services.inference.remote.affinity import openai_chat_key, session_key
from services.inference.remote.forwarding import Forwarder

if TYPE_CHECKING:
    from llamastack.openai.v1.openai_service_pb2_grpc import OpenAIServiceAsyncStub


class MeshOpenAI:
    """An :class:`~services.inference.backend.OpenAIBackend` over gRPC; answers get the model's name here."""

    def __init__(self, forwarder: Forwarder[OpenAIServiceAsyncStub], model_id: str) -> None:
        """Keep the parts."""
        self._forwarder = forwarder
        self._model_id = model_id

    async def chat(self, request: chat_pb2.ChatCompletionRequest) -> chat_pb2.ChatCompletionResponse:
        """Give the next message of a conversation."""
        response = await self._forwarder.ask(lambda stub: stub.ChatCompletion, request, openai_chat_key(request))
        response.model = self._model_id
        return response

    async def stream_chat(
        self, request: chat_pb2.ChatCompletionRequest
    ) -> AsyncGenerator[chat_pb2.ChatCompletionChunk]:
        """Give the next message of a conversation as it comes."""
        stream = self._forwarder.stream(lambda stub: stub.StreamChatCompletion, request, openai_chat_key(request))
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                chunk.model = self._model_id
                yield chunk

    async def complete(self, request: completion_pb2.CompletionRequest) -> completion_pb2.CompletionResponse:
        """Continue texts."""
        response = await self._forwarder.ask(lambda stub: stub.Completion, request, session_key(request.user))
        response.model = self._model_id
        return response

    async def stream_completion(
        self, request: completion_pb2.CompletionRequest
    ) -> AsyncGenerator[completion_pb2.CompletionResponse]:
        """Continue texts as they come."""
        stream = self._forwarder.stream(lambda stub: stub.StreamCompletion, request, session_key(request.user))
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                chunk.model = self._model_id
                yield chunk

    async def embed(self, request: embedding_pb2.EmbeddingsRequest) -> embedding_pb2.EmbeddingsResponse:
        """Turn texts into vectors."""
        response = await self._forwarder.ask(lambda stub: stub.Embeddings, request)
        response.model = self._model_id
        return response
