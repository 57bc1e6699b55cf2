"""Answers of ``llamastack.openai.v1`` in the words of ``llamastack.inference.v1``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Final

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, StopReason
from llamastack.common.v1.tool_pb2 import ToolCall
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.openai.v1 import chat_pb2, completion_pb2, usage_pb2
from llamastack.openai.v1.chat_tool_pb2 import ChatToolCall, ChatToolCallDelta
from mesh.json_text import read, unicode, value_of
from services.inference.chat import COMPLETE, PROGRESS, START
from services.inference.formats import new_call_id
from services.inference.prompt.stream_decoder import Piece, delta_of, in_progress, outcome, started
from services.inference.prompt.tool_names import name_of

_REASONS: Final = {
    usage_pb2.FINISH_REASON_LENGTH: StopReason.STOP_REASON_OUT_OF_TOKENS,
    usage_pb2.FINISH_REASON_TOOL_CALLS: StopReason.STOP_REASON_END_OF_MESSAGE,
}


def chat_answer(response: chat_pb2.ChatCompletionResponse) -> pb.ChatCompletionResponse:
    """Return the first choice; calls whose arguments can't be read stay in the text, so that nothing is lost."""
    choice = response.choices[0]
    text = choice.message.content or choice.message.refusal
    calls = []
    for call in choice.message.tool_calls:
        read_call = tool_call(call)
        if read_call is None:
            text += call.function.arguments
        else:
            calls.append(read_call)
    message = CompletionMessage(
        content=Content(text=text), stop_reason=stop_reason(choice.finish_reason), tool_calls=calls
    )
    return pb.ChatCompletionResponse(
        completion_message=message, logprobs=chat_logprobs(choice.logprobs), usage=usage_of(response.usage)
    )


def completion_answer(response: completion_pb2.CompletionResponse) -> pb.CompletionResponse:
    """Return the first choice."""
    choice = response.choices[0]
    message = CompletionMessage(content=Content(text=choice.text), stop_reason=stop_reason(choice.finish_reason))
    return pb.CompletionResponse(
        completion_message=message, logprobs=text_logprobs(choice.logprobs), usage=usage_of(response.usage)
    )


async def completion_chunks(
    answers: AsyncGenerator[completion_pb2.CompletionResponse],
) -> AsyncGenerator[pb.CompletionResponseStreamChunk]:
    """Yield the pieces of a completion as they come, and at the end why it stopped and the token counts."""
    end = pb.CompletionResponseStreamChunk(stop_reason=StopReason.STOP_REASON_END_OF_TURN, usage=pb.Usage())
    async with aclosing(answers):
        async for answer in answers:
            if answer.HasField("usage"):
                end.usage.CopyFrom(usage_of(answer.usage))
            for choice in answer.choices:
                if choice.HasField("finish_reason"):
                    end.stop_reason = stop_reason(choice.finish_reason)
                if choice.text or choice.logprobs.tokens:
                    logprobs = text_logprobs(choice.logprobs)
                    yield pb.CompletionResponseStreamChunk(delta=choice.text, logprobs=logprobs)
    yield end


def tool_call(call: ChatToolCall) -> ToolCall | None:
    """Return a call, None if it has no name or its arguments are no JSON object."""
    text = call.function.arguments.strip() or "{}"
    try:
        loose, end = read(text)
        if end != len(text) or not isinstance(loose, dict) or not call.function.name:
            return None
        arguments: dict[str, JsonValue] = {unicode(name): value_of(value) for name, value in loose.items()}
    except ValueError:
        return None
    return ToolCall(call_id=call.id or new_call_id(), tool_name=name_of(call.function.name), arguments=arguments)


def stop_reason(reason: usage_pb2.FinishReason.ValueType) -> StopReason.ValueType:
    """Return why a choice ended; a call of a tool ends the message and not the turn."""
    return _REASONS.get(reason, StopReason.STOP_REASON_END_OF_TURN)


def usage_of(usage: usage_pb2.Usage) -> pb.Usage:
    """Return token counts."""
    return pb.Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.prompt_tokens_details.cached_tokens,
    )


def chat_logprobs(logprobs: chat_pb2.ChoiceLogprobs) -> list[pb.TokenLogProbs]:
    """Return one entry per token of a chat."""
    return [
        pb.TokenLogProbs(
            logprobs_by_token={top.token: top.logprob for top in position.top_logprobs}
            | {position.token: position.logprob}
        )
        for position in logprobs.content
    ]


def text_logprobs(logprobs: completion_pb2.CompletionLogprobs) -> list[pb.TokenLogProbs]:
    """Return one entry per token of a completion."""
    made = []
    for position, token in enumerate(logprobs.tokens):
        tops = logprobs.top_logprobs[position].values.values if position < len(logprobs.top_logprobs) else {}
        made.append(pb.TokenLogProbs(logprobs_by_token=dict(tops) | {token: logprobs.token_logprobs[position].value}))
    return made


class EventReader:
    """Turns the chunks of one chat completion into events: start, progress, complete."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._begun = False
        self._index = 0
        self._open: ChatToolCall | None = None
        self._usage = pb.Usage()
        self._reason: usage_pb2.FinishReason.ValueType | None = None
        self._held: list[pb.TokenLogProbs] = []

    def push(self, chunk: chat_pb2.ChatCompletionChunk) -> Iterator[pb.ChatCompletionResponseEvent]:
        """Yield the events of a chunk."""
        if not self._begun:
            self._begun = True
            yield pb.ChatCompletionResponseEvent(event_type=START, delta=pb.ChatCompletionDelta(text=""))
        if chunk.HasField("usage"):
            self._usage = usage_of(chunk.usage)
        for choice in chunk.choices:
            self._held += chat_logprobs(choice.logprobs)
            text = choice.delta.content or choice.delta.refusal
            if text:
                yield from self._events([text])
            for delta in choice.delta.tool_calls:
                yield from self._events(self._pieces(delta))
            if choice.HasField("finish_reason"):
                self._reason = choice.finish_reason

    def finish(self) -> Iterator[pb.ChatCompletionResponseEvent]:
        """Yield what is still open, and the last event."""
        reason = StopReason.STOP_REASON_END_OF_TURN if self._reason is None else stop_reason(self._reason)
        for event in self._events(self._closed()):
            event.stop_reason = reason
            yield event
        yield pb.ChatCompletionResponseEvent(
            event_type=COMPLETE,
            delta=pb.ChatCompletionDelta(text=""),
            stop_reason=reason,
            logprobs=self._held,
            usage=self._usage,
        )

    def _pieces(self, delta: ChatToolCallDelta) -> Sequence[Piece]:
        pieces: list[Piece] = []
        if self._open is None or self._index != delta.index:
            pieces += self._closed()
            self._open, self._index = ChatToolCall(), delta.index
            pieces.append(started())
        call = self._open
        call.id = call.id or delta.id
        call.function.name = call.function.name or delta.function.name
        if delta.function.arguments:
            call.function.arguments += delta.function.arguments
            pieces.append(in_progress(delta.function.arguments))
        return pieces

    def _closed(self) -> Sequence[Piece]:
        """Return the outcome of the call that is open, if one is."""
        if self._open is None:
            return ()
        call, self._open = tool_call(self._open), None
        return outcome([] if call is None else [call])

    def _events(self, pieces: Iterable[Piece]) -> Iterator[pb.ChatCompletionResponseEvent]:
        """Yield one event per piece; the log probabilities go with the first."""
        for piece in pieces:
            logprobs, self._held = self._held, []
            yield pb.ChatCompletionResponseEvent(event_type=PROGRESS, delta=delta_of(piece), logprobs=logprobs)
