"""``llamastack.inference.v1.InferenceService`` over the domain: no decisions, only who is let in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1 import inference_service_pb2_grpc as grpc_stubs
from mesh import identity
from services.inference.admission import Admission, Visit
from services.inference.batch import collect, run_batch
from services.inference.router import Router

Context = Any


class InferenceServicer(grpc_stubs.InferenceServiceServicer):
    """Generates, embeds and scores."""

    def __init__(self, router: Router, admission: Admission) -> None:
        """Keep the parts."""
        self._router = router
        self._admission = admission

    async def Completion(self, request: pb.CompletionRequest, context: Context) -> pb.CompletionResponse:
        """Continue a text."""
        with self._admission.enter(identity.current().tenant) as visit:
            return visit.counted(await self._router.backend(request.model).complete(request))

    async def StreamCompletion(
        self, request: pb.CompletionRequest, context: Context
    ) -> AsyncIterator[pb.CompletionResponseStreamChunk]:
        """Continue a text as it comes."""
        with self._admission.enter(identity.current().tenant) as visit:
            async with aclosing(self._router.backend(request.model).stream_completion(request)) as chunks:
                async for chunk in chunks:
                    yield visit.counted(chunk)

    async def ChatCompletion(self, request: pb.ChatCompletionRequest, context: Context) -> pb.ChatCompletionResponse:
        """Give the next message of a conversation."""
        with self._admission.enter(identity.current().tenant) as visit:
            return visit.counted(await self._router.backend(request.model).chat(request))

    async def StreamChatCompletion(
        self, request: pb.ChatCompletionRequest, context: Context
    ) -> AsyncIterator[pb.ChatCompletionResponseStreamChunk]:
        """Give the next message of a conversation as it comes."""
        with self._admission.enter(identity.current().tenant) as visit:
            async with aclosing(self._router.backend(request.model).stream_chat(request)) as events:
                async for event in events:
                    yield pb.ChatCompletionResponseStreamChunk(event=visit.counted(event))

    async def BatchCompletion(self, request: pb.BatchCompletionRequest, context: Context) -> pb.BatchCompletionResponse:
        """Continue several texts."""
        with self._admission.enter(identity.current().tenant) as visit:
            return await collect(_counted(visit, self._completion_items(request)), len(request.content_batch))

    async def StreamBatchCompletion(
        self, request: pb.BatchCompletionRequest, context: Context
    ) -> AsyncIterator[pb.BatchProgress]:
        """Continue several texts and tell when each is done."""
        with self._admission.enter(identity.current().tenant) as visit:
            async for progress in self._completion_items(request):
                yield visit.counted(progress)

    async def BatchChatCompletion(
        self, request: pb.BatchChatCompletionRequest, context: Context
    ) -> pb.BatchCompletionResponse:
        """Answer several conversations."""
        with self._admission.enter(identity.current().tenant) as visit:
            return await collect(_counted(visit, self._chat_items(request)), len(request.messages_batch))

    async def StreamBatchChatCompletion(
        self, request: pb.BatchChatCompletionRequest, context: Context
    ) -> AsyncIterator[pb.BatchProgress]:
        """Answer several conversations and tell when each is done."""
        with self._admission.enter(identity.current().tenant) as visit:
            async for progress in self._chat_items(request):
                yield visit.counted(progress)

    async def Embeddings(self, request: pb.EmbeddingsRequest, context: Context) -> pb.EmbeddingsResponse:
        """Turn texts into vectors."""
        with self._admission.enter(identity.current().tenant) as visit:
            return visit.counted(await self._router.backend(request.model).embed(request))

    async def Score(self, request: pb.ScoreRequest, context: Context) -> pb.ScoreResponse:
        """Run a classification or reward model over conversations."""
        with self._admission.enter(identity.current().tenant) as visit:
            return visit.counted(await self._router.backend(request.model).score(request))

    def _completion_items(self, request: pb.BatchCompletionRequest) -> AsyncIterator[pb.BatchProgress]:
        backend = self._router.backend(request.model)

        async def answer(item: pb.CompletionRequest) -> pb.ChatCompletionResponse:
            response = await backend.complete(item)
            return pb.ChatCompletionResponse(
                completion_message=response.completion_message, logprobs=response.logprobs, usage=response.usage
            )

        shared = pb.CompletionRequest(
            model=request.model,
            sampling_params=request.sampling_params,
            logprobs=_set(request, "logprobs"),
            quantization_config=_set(request, "quantization_config"),
        )
        items = []
        for content in request.content_batch:
            item = pb.CompletionRequest(content=content)
            item.MergeFrom(shared)
            items.append(item)
        return run_batch(items, answer)

    def _chat_items(self, request: pb.BatchChatCompletionRequest) -> AsyncIterator[pb.BatchProgress]:
        shared = pb.ChatCompletionRequest(
            model=request.model,
            sampling_params=request.sampling_params,
            available_tools=request.available_tools,
            tool_prompt_format=request.tool_prompt_format,
            logprobs=_set(request, "logprobs"),
            quantization_config=_set(request, "quantization_config"),
        )
        items = []
        for messages in request.messages_batch:
            item = pb.ChatCompletionRequest(messages=messages.messages)
            item.MergeFrom(shared)
            items.append(item)
        return run_batch(items, self._router.backend(request.model).chat)


async def _counted(visit: Visit, items: AsyncIterator[pb.BatchProgress]) -> AsyncIterator[pb.BatchProgress]:
    async for progress in items:
        yield visit.counted(progress)


def _set(request: pb.BatchCompletionRequest | pb.BatchChatCompletionRequest, name: str) -> Any:
    """Return an optional setting of a batch, None if it is not set."""
    return getattr(request, name) if request.HasField(name) else None  # type: ignore[arg-type]  # literals elsewhere
