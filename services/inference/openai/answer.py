"""One choice of a chat completion in the making: whole, or as the chunks of a stream."""

from __future__ import annotations

from collections.abc import Sequence

from llamastack.common.v1.message_pb2 import StopReason
from llamastack.openai.v1 import chat_pb2 as pb
from llamastack.openai.v1.chat_message_pb2 import CHAT_ROLE_ASSISTANT, ChatCompletionMessage
from llamastack.openai.v1.chat_tool_pb2 import (
    CHAT_TOOL_TYPE_FUNCTION,
    ChatFunctionCall,
    ChatFunctionCallDelta,
    ChatToolCall,
    ChatToolCallDelta,
)
from llamastack.openai.v1.usage_pb2 import FinishReason
from services.inference.engine import Delta, TokenLogprobs
from services.inference.openai.logprobs import choice_logprobs, shown_positions
from services.inference.openai.output import CallBegin, CallText, OutputReader, Part


class Answer:
    """A choice that is returned whole."""

    def __init__(self, index: int, reader: OutputReader, top: int | None) -> None:
        """``top`` is the number of candidates per position, None for no log probabilities."""
        self._index = index
        self._reader = reader
        self._top = top
        self._texts: list[str] = []
        self._calls: list[ChatToolCall] = []
        self._logprobs: list[TokenLogprobs] = []
        self._reason: FinishReason.ValueType | None = None

    def push(self, delta: Delta) -> None:
        """Take what the sequence gained."""
        self._add(self._reader.push(delta.text, delta.token_ids))
        self._logprobs += shown_positions(delta)

    def finish(self, reason: StopReason.ValueType) -> None:
        """Take the end."""
        ending = self._reader.finish(reason)
        self._add(ending.parts)
        self._reason = ending.reason

    def choice(self) -> pb.ChatCompletionChoice:
        """Return the choice; its content is null when it is all calls."""
        text = "".join(self._texts)
        return pb.ChatCompletionChoice(
            index=self._index,
            message=ChatCompletionMessage(content=text if text or not self._calls else None, tool_calls=self._calls),
            logprobs=None if self._top is None else choice_logprobs(self._logprobs, self._top),
            finish_reason=self._reason,
        )

    def _add(self, parts: Sequence[Part]) -> None:
        for part in parts:
            match part:
                case CallBegin():
                    function = ChatFunctionCall(name=part.name)
                    self._calls.append(ChatToolCall(id=part.call_id, function=function))
                case CallText():
                    self._calls[part.index].function.arguments += part.text
                case _:
                    self._texts.append(part)


class ChunkWriter:
    """A choice that is sent piece by piece."""

    def __init__(self, head: pb.ChatCompletionChunk, index: int, reader: OutputReader, top: int | None) -> None:
        """``head`` has what all chunks have; ``top`` as for :class:`Answer`."""
        self._head = head
        self._index = index
        self._reader = reader
        self._top = top
        self._begun = False
        self._held: list[TokenLogprobs] = []

    def push(self, delta: Delta) -> list[pb.ChatCompletionChunk]:
        """Return the chunks for what the sequence gained; the role goes before the first of them."""
        if self._top is not None:
            self._held += shown_positions(delta)
        return self._chunks(self._reader.push(delta.text, delta.token_ids))

    def finish(self, reason: StopReason.ValueType) -> list[pb.ChatCompletionChunk]:
        """Return the last chunks, the finish reason at the end."""
        ending = self._reader.finish(reason)
        chunks = self._chunks(ending.parts) or ([] if self._begun else [self._begin(ending.parts)])
        last = self._with_logprobs(pb.ChatCompletionDelta()) if self._held else self._chunk(pb.ChatCompletionDelta())
        last.choices[0].finish_reason = ending.reason
        return [*chunks, last]

    def _chunks(self, parts: Sequence[Part]) -> list[pb.ChatCompletionChunk]:
        if not parts:
            return []
        chunk = self._with_logprobs(_delta(parts))
        return [chunk] if self._begun else [self._begin(parts), chunk]

    def _begin(self, parts: Sequence[Part]) -> pb.ChatCompletionChunk:
        """Return the chunk with the role; its content is null where the choice begins with a call."""
        self._begun = True
        content = None if parts and not isinstance(parts[0], str) else ""
        return self._chunk(pb.ChatCompletionDelta(role=CHAT_ROLE_ASSISTANT, content=content))

    def _with_logprobs(self, delta: pb.ChatCompletionDelta) -> pb.ChatCompletionChunk:
        """Return a chunk with the log probabilities since the last one, those of text that was held back included."""
        chunk = self._chunk(delta)
        if self._top is not None:
            chunk.choices[0].logprobs.CopyFrom(choice_logprobs(self._held, self._top))
            self._held.clear()
        return chunk

    def _chunk(self, delta: pb.ChatCompletionDelta) -> pb.ChatCompletionChunk:
        chunk = pb.ChatCompletionChunk(choices=[pb.ChatCompletionChunkChoice(index=self._index, delta=delta)])
        chunk.MergeFrom(self._head)
        return chunk


def _delta(parts: Sequence[Part]) -> pb.ChatCompletionDelta:
    text = "".join(part for part in parts if isinstance(part, str))
    calls = [_call_delta(part) for part in parts if not isinstance(part, str)]
    return pb.ChatCompletionDelta(content=text or None, tool_calls=calls)


def _call_delta(part: CallBegin | CallText) -> ChatToolCallDelta:
    if isinstance(part, CallText):
        return ChatToolCallDelta(index=part.index, function=ChatFunctionCallDelta(arguments=part.text))
    return ChatToolCallDelta(
        index=part.index,
        id=part.call_id,
        type=CHAT_TOOL_TYPE_FUNCTION,
        function=ChatFunctionCallDelta(name=part.name, arguments=""),
    )
