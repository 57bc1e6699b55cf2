"""Chat completions of OpenAI's API: one conversation, one or several answers. Knows nothing about gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from uuid import uuid4

from llamastack.openai.v1 import chat_pb2 as pb
from llamastack.openai.v1.usage_pb2 import SERVICE_TIER_DEFAULT, SERVICE_TIER_UNSPECIFIED, ServiceTier
from mesh.errors import InvalidField
from services.inference import engine as engines
from services.inference.catalog import Catalog
from services.inference.chat import GENERATING, INLINE_BYTES, check_target
from services.inference.engine import GenerateRequest, Usage
from services.inference.entry import Target
from services.inference.images import image_bytes
from services.inference.openai.answer import Answer, ChunkWriter
from services.inference.openai.call_reader import CallReader
from services.inference.openai.envelope import Envelope, envelope, usage_of
from services.inference.openai.generation import generate
from services.inference.openai.guidance import guidance_of
from services.inference.openai.messages import conversation_messages
from services.inference.openai.output import FormatReader, OutputReader
from services.inference.openai.sampling import chat_sampling
from services.inference.openai.tools import Offer, offer_of
from services.inference.prompt.prompt_format import Conversation, Prompt
from services.inference.sampling import stop_reason


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that is ready for its engine; one reader for each choice."""

    target: Target
    request: GenerateRequest
    readers: Sequence[OutputReader]
    envelope: Envelope
    top: int | None
    tier: ServiceTier.ValueType


class ChatCompletions:
    """Answers conversations with the models of a catalog."""

    def __init__(self, catalog: Catalog, now: Callable[[], float]) -> None:
        """``now`` is the clock, in seconds since 1970."""
        self._catalog = catalog
        self._now = now

    async def complete(self, request: pb.ChatCompletionRequest) -> pb.ChatCompletionResponse:
        """Return the model's next message, ``n`` of them.

        Raises:
            ResourceNotFound: no such model.
            WrongState: the model is not ready or does not generate text.
            InvalidField: a tool or a message that can't be.
            OutOfRange: the conversation does not fit the context.
        """
        asked = await self._prepare(request, stream=False)
        answers = [Answer(index, reader, asked.top) for index, reader in enumerate(asked.readers)]
        usage = Usage(0, 0)
        async with aclosing(generate(asked.target.engine, asked.request)) as deltas:
            async for delta in deltas:
                usage = delta.usage
                answer = answers[delta.index]
                answer.push(delta)
                if delta.finish is not None:
                    answer.finish(stop_reason(delta, asked.target.prompt_format))
        return pb.ChatCompletionResponse(
            choices=[answer.choice() for answer in answers],
            usage=usage_of(usage),
            service_tier=asked.tier,
            metadata=request.metadata,
            **asked.envelope.members(),
        )

    async def stream(self, request: pb.ChatCompletionRequest) -> AsyncGenerator[pb.ChatCompletionChunk]:
        """Yield the answers as they come; the errors are those of :meth:`complete`.

        Each choice begins with a chunk that has the role and ends with one that has the finish reason.
        """
        asked = await self._prepare(request, stream=True)
        head = pb.ChatCompletionChunk(service_tier=asked.tier, **asked.envelope.members())
        writers = [ChunkWriter(head, index, reader, asked.top) for index, reader in enumerate(asked.readers)]
        usage = Usage(0, 0)
        async with aclosing(generate(asked.target.engine, asked.request)) as deltas:
            async for delta in deltas:
                usage = delta.usage
                writer = writers[delta.index]
                for chunk in writer.push(delta):
                    yield chunk
                if delta.finish is not None:
                    for chunk in writer.finish(stop_reason(delta, asked.target.prompt_format)):
                        yield chunk
        if request.stream_options.include_usage:
            chunk = pb.ChatCompletionChunk(usage=usage_of(usage))
            chunk.MergeFrom(head)
            yield chunk

    async def _prepare(self, request: pb.ChatCompletionRequest, *, stream: bool) -> _Asked:
        target = self._catalog.resolve(request.model)
        check_target(target, GENERATING)
        offer = offer_of(request)
        conversation = Conversation(conversation_messages(request.messages), offer.definitions(), schemas=offer.schemas)
        if request.ByteSize() <= INLINE_BYTES:
            prompt = target.prompt_format.encode(conversation)
        else:
            prompt = await asyncio.to_thread(target.prompt_format.encode, conversation)
        if prompt.images and not target.info.multimodal:
            raise InvalidField("messages", f"no images: model {target.model_id} reads text alone")
        made = _engine_request(request, target, prompt, offer, stream=stream)
        return _Asked(
            target=target,
            request=made,
            readers=[_reader(target, conversation, offer, made) for _ in range(made.sampling.n)],
            envelope=envelope("chatcmpl", target, int(self._now())),
            top=made.sampling.logprobs,
            tier=SERVICE_TIER_DEFAULT if request.service_tier else SERVICE_TIER_UNSPECIFIED,
        )


def _engine_request(
    request: pb.ChatCompletionRequest, target: Target, prompt: Prompt, offer: Offer, *, stream: bool
) -> GenerateRequest:
    return GenerateRequest(
        request_id=uuid4().hex,
        prompt=engines.Prompt(
            token_ids=prompt.token_ids, images=tuple(image_bytes(image, "messages") for image in prompt.images)
        ),
        sampling=chat_sampling(request, prompt.stop_token_ids),
        guidance=guidance_of(request.response_format, offer),
        adapter=target.adapter,
        session=request.prompt_cache_key or request.user or None,
        stream=stream,
    )


def _reader(target: Target, conversation: Conversation, offer: Offer, request: GenerateRequest) -> OutputReader:
    """Return what reads one choice: a restricted output that may hold calls is read by the restriction's form."""
    if offer.callable and request.guidance is not None:
        return CallReader(_call_id, answers=not offer.forced)
    return FormatReader(target.prompt_format.decoder(conversation), single=offer.single)


def _call_id() -> str:
    return f"call_{uuid4().hex}"
