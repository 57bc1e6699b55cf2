"""One chat completion: the conversation is written as a prompt, the engine's output is read back as events.

Knows nothing about gRPC. A slow caller makes fewer, larger events, because the engine merges what was not taken yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from uuid import uuid4

from llamastack.common.v1.message_pb2 import StopReason
from llamastack.inference.v1 import inference_pb2 as pb
from mesh import json_text
from mesh.errors import InvalidField, WrongState
from mesh.json_text import value_of
from services.inference import engine as engines
from services.inference.catalog import Catalog
from services.inference.engine import Delta, GenerateRequest, Guidance, GuidanceKind, ModelKind, Usage
from services.inference.entry import Target
from services.inference.images import image_bytes
from services.inference.prompt.prompt_format import Conversation, Prompt, PromptFormat
from services.inference.prompt.stream_decoder import Piece, delta_of
from services.inference.prompt.tool_schema import call_schema, demands_call
from services.inference.sampling import (
    engine_guidance,
    engine_sampling,
    logprobs_messages,
    stop_reason,
    usage_message,
)

START = pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_START
PROGRESS = pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_PROGRESS
COMPLETE = pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_COMPLETE
GENERATING = frozenset({ModelKind.LLM, ModelKind.GUARD})
OUTCOMES = frozenset({pb.TOOL_CALL_PARSE_STATUS_SUCCESS, pb.TOOL_CALL_PARSE_STATUS_FAILURE})
# tokenizing this much takes about a millisecond; longer conversations are left to a thread
INLINE_BYTES = 8192


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that is ready for its engine."""

    target: Target
    format: PromptFormat
    conversation: Conversation
    request: GenerateRequest


class Chat:
    """Answers conversations with the models of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        """Keep the catalog."""
        self._catalog = catalog

    async def complete(self, request: pb.ChatCompletionRequest) -> pb.ChatCompletionResponse:
        """Return the model's next message.

        Raises:
            ResourceNotFound: no such model.
            WrongState: the model is loaded in another form, is not ready, or does not generate text.
            OutOfRange: the conversation does not fit the context.
        """
        asked = await self._prepare(request, stream=False)
        decoder = asked.format.decoder(asked.conversation)
        last: Delta | None = None
        async with aclosing(asked.target.engine.generate(asked.request)) as deltas:
            async for delta in deltas:
                last = delta
                decoder.push(delta.text, delta.token_ids)
        assert last is not None
        decoded = decoder.finish(stop_reason(last, asked.format)).decoded
        return pb.ChatCompletionResponse(
            completion_message=decoded.message(),
            logprobs=logprobs_messages(last.logprobs) if request.HasField("logprobs") else (),
            usage=usage_message(last.usage),
        )

    async def stream(self, request: pb.ChatCompletionRequest) -> AsyncGenerator[pb.ChatCompletionResponseEvent]:
        """Yield start, progress as it comes, and complete; the errors are those of :meth:`complete`."""
        asked = await self._prepare(request, stream=True)
        decoder = asked.format.decoder(asked.conversation)
        yield pb.ChatCompletionResponseEvent(event_type=START, delta=pb.ChatCompletionDelta(text=""))
        usage = Usage(0, 0)
        reason = StopReason.STOP_REASON_UNSPECIFIED
        held: list[pb.TokenLogProbs] = []
        async with aclosing(asked.target.engine.generate(asked.request)) as deltas:
            async for delta in deltas:
                usage = delta.usage
                if delta.logprobs:
                    held += logprobs_messages(delta.logprobs)
                if delta.finish is not None:
                    reason = stop_reason(delta, asked.format)
                for event in _progress(decoder.push(delta.text, delta.token_ids), held):
                    yield event
        end = decoder.finish(reason)
        for event in _progress(end.pieces, held):
            if event.delta.tool_call.parse_status in OUTCOMES:
                event.stop_reason = end.decoded.stop_reason
            yield event
        yield pb.ChatCompletionResponseEvent(
            event_type=COMPLETE,
            delta=pb.ChatCompletionDelta(text=""),
            stop_reason=end.decoded.stop_reason,
            logprobs=held,
            usage=usage_message(usage),
        )

    async def _prepare(self, request: pb.ChatCompletionRequest, *, stream: bool) -> _Asked:
        target = self._catalog.resolve(request.model)
        check_target(target, GENERATING)
        target.check_quantization(request.quantization_config)
        conversation = Conversation(
            request.messages,
            request.available_tools,
            request.tool_prompt_format,
            bare=request.omit_system_section,
        )
        if request.ByteSize() <= INLINE_BYTES:
            prompt = target.prompt_format.encode(conversation)
        else:
            prompt = await asyncio.to_thread(target.prompt_format.encode, conversation)
        if prompt.images and not target.info.multimodal:
            raise InvalidField("messages", f"no images: model {target.model_id} reads text alone")
        return _Asked(
            target, target.prompt_format, conversation, _engine_request(request, target, prompt, stream=stream)
        )


def check_target(target: Target, kinds: frozenset[ModelKind]) -> None:
    """Refuse a model that is not of one of these kinds.

    Raises:
        WrongState: the model's kind is another.
    """
    if target.info.kind not in kinds:
        wanted = " or ".join(sorted(kind.value for kind in kinds))
        raise WrongState(f"model {target.model_id} is of kind {target.info.kind.value}; this call needs {wanted}")


def _engine_request(
    request: pb.ChatCompletionRequest, target: Target, prompt: Prompt, *, stream: bool
) -> GenerateRequest:
    logprobs = request.logprobs.top_k if request.HasField("logprobs") else None
    return GenerateRequest(
        request_id=uuid4().hex,
        prompt=engines.Prompt(
            token_ids=prompt.token_ids, images=tuple(image_bytes(image, "messages") for image in prompt.images)
        ),
        sampling=engine_sampling(request.sampling_params, logprobs=logprobs, stop_token_ids=prompt.stop_token_ids),
        guidance=_guidance(request),
        adapter=target.adapter,
        priority=request.priority,
        session=request.session_id or None,
        stream=stream,
    )


def _guidance(request: pb.ChatCompletionRequest) -> Guidance | None:
    if not demands_call(request):
        return engine_guidance(request.guidance)
    return Guidance(GuidanceKind.JSON_SCHEMA, json_text.write(value_of(call_schema(request.available_tools))))


def _progress(pieces: Sequence[Piece], held: list[pb.TokenLogProbs]) -> list[pb.ChatCompletionResponseEvent]:
    """Return one event per piece; log probabilities that were held back go with the first."""
    events = []
    for piece in pieces:
        event = pb.ChatCompletionResponseEvent(event_type=PROGRESS, delta=delta_of(piece))
        if held:
            event.logprobs.extend(held)
            held.clear()
        events.append(event)
    return events
