"""The output of one choice, read while it comes: texts and tool calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from llamastack.common.v1.message_pb2 import StopReason
from llamastack.common.v1.tool_pb2 import ToolCall
from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from llamastack.inference.v1.inference_pb2 import ToolCallParseStatus
from llamastack.openai.v1.usage_pb2 import FinishReason
from mesh import json_text
from services.inference.prompt.stream_decoder import Piece, StreamDecoder
from services.inference.prompt.tool_names import text_of


@dataclass(frozen=True, slots=True)
class CallBegin:
    """A call of ``name`` begins; ``index`` is its position in the message."""

    index: int
    call_id: str
    name: str


@dataclass(frozen=True, slots=True)
class CallText:
    """The next piece of a call's arguments, which are the text of a JSON object."""

    index: int
    text: str


Part: TypeAlias = str | CallBegin | CallText
"""A text to show, or a piece of a tool call."""

NONE: Final[Sequence[Part]] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """The parts that were still to come, and why the choice ended."""

    parts: Sequence[Part]
    reason: FinishReason.ValueType


class OutputReader(Protocol):
    """Turns what one sequence generates into parts; serves one choice."""

    def push(self, text: str, token_ids: Sequence[int]) -> Sequence[Part]:
        """Return the parts that became certain with the next text."""

    def finish(self, reason: StopReason.ValueType) -> Ending:
        """Return the rest; must be called once, last."""


class FormatReader:
    """The OutputReader of a model that is free to call tools: its prompt format says what is a call."""

    def __init__(self, decoder: StreamDecoder, *, single: bool) -> None:
        """Take a fresh decoder; with ``single`` calls after the first one are left out."""
        self._decoder = decoder
        self._single = single
        self._calls = 0
        self._shown = 0

    def push(self, text: str, token_ids: Sequence[int]) -> Sequence[Part]:
        """Return the texts, and each call once it is whole."""
        pieces = self._decoder.push(text, token_ids)
        return self._parts(pieces) if pieces else NONE

    def finish(self, reason: StopReason.ValueType) -> Ending:
        """Return the rest; what looked like a call and can't be read as one is a text."""
        end = self._decoder.finish(reason)
        parts = self._parts(end.pieces)
        if end.decoded.failed:
            parts.append(end.decoded.text[self._shown :])
        return Ending(parts, finish_reason(end.decoded.stop_reason, called=self._calls > 0))

    def _parts(self, pieces: Sequence[Piece]) -> list[Part]:
        parts: list[Part] = []
        for piece in pieces:
            if isinstance(piece, str):
                self._shown += len(piece)
                parts.append(piece)
            elif piece.parse_status == ToolCallParseStatus.TOOL_CALL_PARSE_STATUS_SUCCESS:
                parts += self._call(piece.content.tool_call)
        return parts

    def _call(self, call: ToolCall) -> list[Part]:
        if self._single and self._calls:
            return []
        index, self._calls = self._calls, self._calls + 1
        arguments = json_text.write(JsonValue(object_value=JsonObject(fields=call.arguments)))
        return [CallBegin(index, call.call_id, text_of(call.tool_name)), CallText(index, arguments)]


def finish_reason(reason: StopReason.ValueType, *, called: bool) -> FinishReason.ValueType:
    """Return why a choice ended, as OpenAI's API spells it."""
    if reason == StopReason.STOP_REASON_OUT_OF_TOKENS:
        return FinishReason.FINISH_REASON_LENGTH
    return FinishReason.FINISH_REASON_TOOL_CALLS if called else FinishReason.FINISH_REASON_STOP
