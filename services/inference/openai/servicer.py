"""``llamastack.openai.v1.OpenAIService`` over the domain: no decisions, only who is let in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, TypeVar

from llamastack.openai.v1 import chat_pb2, completion_pb2, embedding_pb2, model_pb2
from llamastack.openai.v1 import openai_service_pb2_grpc as grpc_stubs
from mesh import identity
from services.inference.admission import Admission
from services.inference.openai.models import ModelList
from services.inference.router import Router

Context = Any
Request = TypeVar("Request", chat_pb2.ChatCompletionRequest, completion_pb2.CompletionRequest)


class OpenAIServicer(grpc_stubs.OpenAIServiceServicer):
    """Generates and embeds as OpenAI's API has it."""

    def __init__(self, router: Router, models: ModelList, admission: Admission) -> None:
        """Keep the parts."""
        self._router = router
        self._models = models
        self._admission = admission

    async def ChatCompletion(
        self, request: chat_pb2.ChatCompletionRequest, context: Context
    ) -> chat_pb2.ChatCompletionResponse:
        """Give the next message of a conversation."""
        with self._admission.enter(identity.current().tenant) as visit:
            return visit.counted(await self._router.openai(request.model).chat(request))

    async def StreamChatCompletion(
        self, request: chat_pb2.ChatCompletionRequest, context: Context
    ) -> AsyncIterator[chat_pb2.ChatCompletionChunk]:
        """Give the next message of a conversation as it comes."""
        with self._admission.enter(identity.current().tenant) as visit:
            async with aclosing(self._router.openai(request.model).stream_chat(_telling(request))) as chunks:
                async for chunk in chunks:
                    visit.counted(chunk)
                    if chunk.choices or request.stream_options.include_usage or not chunk.HasField("usage"):
                        yield chunk

    async def Completion(
        self, request: completion_pb2.CompletionRequest, context: Context
    ) -> completion_pb2.CompletionResponse:
        """Continue texts."""
        with self._admission.enter(identity.current().tenant) as visit:
            return visit.counted(await self._router.openai(request.model).complete(request))

    async def StreamCompletion(
        self, request: completion_pb2.CompletionRequest, context: Context
    ) -> AsyncIterator[completion_pb2.CompletionResponse]:
        """Continue texts as they come."""
        with self._admission.enter(identity.current().tenant) as visit:
            async with aclosing(self._router.openai(request.model).stream_completion(_telling(request))) as chunks:
                async for chunk in chunks:
                    visit.counted(chunk)
                    if chunk.choices or request.stream_options.include_usage or not chunk.HasField("usage"):
                        yield chunk

    async def Embeddings(
        self, request: embedding_pb2.EmbeddingsRequest, context: Context
    ) -> embedding_pb2.EmbeddingsResponse:
        """Turn texts into vectors."""
        with self._admission.enter(identity.current().tenant) as visit:
            return visit.counted(await self._router.openai(request.model).embed(request))

    async def ListModels(self, request: model_pb2.ListModelsRequest, context: Context) -> model_pb2.ListModelsResponse:
        """List the models that requests may name."""
        return self._models.all()

    async def GetModel(self, request: model_pb2.GetModelRequest, context: Context) -> model_pb2.Model:
        """Give one model."""
        return self._models.one(request.model)


def _telling(request: Request) -> Request:
    """Return the request with the wish for its usage at the end of the stream, which the service counts by."""
    if request.stream_options.include_usage:
        return request
    wanted = type(request)()
    wanted.CopyFrom(request)
    wanted.stream_options.include_usage = True
    return wanted
