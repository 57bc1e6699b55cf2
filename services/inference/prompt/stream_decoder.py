"""The result of decoding a model's output, piece by piece or whole, for every prompt format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, StopReason
from llamastack.common.v1.tool_pb2 import ToolCall
from llamastack.inference.v1.inference_pb2 import (
    ChatCompletionDelta,
    ToolCallDelta,
    ToolCallDeltaContent,
    ToolCallParseStatus,
)

Piece: TypeAlias = str | ToolCallDelta
"""A text to show, never empty, or a piece of a tool call."""

NOTHING: Final[Sequence[Piece]] = ()


@dataclass(frozen=True, slots=True)
class Decoded:
    """A model's whole output.

    ``text`` is what was written; it is empty when calls were read, and holds the raw text of a call that could not be
    read (``failed``), so that nothing is lost. ``stop_reason`` is never unspecified.
    """

    text: str
    tool_calls: tuple[ToolCall, ...]
    stop_reason: StopReason.ValueType
    failed: bool = False

    def message(self) -> CompletionMessage:
        """Return the message that a completion consists of."""
        return CompletionMessage(
            content=Content(text=self.text), stop_reason=self.stop_reason, tool_calls=self.tool_calls
        )


@dataclass(frozen=True, slots=True)
class End:
    """The end of a stream: the pieces that were still to come, and the whole output."""

    pieces: Sequence[Piece]
    decoded: Decoded


class StreamDecoder(Protocol):
    """Turns one generation's output into pieces as it comes; serves one generation, is not shared."""

    @property
    def stopped(self) -> bool:
        """Whether the model has ended its message, so that whatever follows is ignored."""

    def push(self, text: str, token_ids: Sequence[int] = ()) -> Sequence[Piece]:
        """Return the pieces that became certain with the next text, special tokens included as their text.

        ``token_ids`` are the ids of the text's tokens; only formats that delegate to vLLM's tool parsers want them.
        """

    def finish(self, stop_reason: StopReason.ValueType = StopReason.STOP_REASON_UNSPECIFIED) -> End:
        """Return the rest. ``stop_reason`` is the engine's; an end token in the text takes precedence over it.

        Unspecified and no end token means out of tokens. Must be called once, last.
        """


def started() -> ToolCallDelta:
    """Return the piece that says that a call has begun."""
    return ToolCallDelta(
        content=ToolCallDeltaContent(text=""), parse_status=ToolCallParseStatus.TOOL_CALL_PARSE_STATUS_STARTED
    )


def in_progress(text: str) -> ToolCallDelta:
    """Return the piece that holds further raw text of a call."""
    return ToolCallDelta(
        content=ToolCallDeltaContent(text=text), parse_status=ToolCallParseStatus.TOOL_CALL_PARSE_STATUS_IN_PROGRESS
    )


def outcome(calls: Sequence[ToolCall]) -> list[Piece]:
    """Return one piece per call that was read, or the one that says that none was."""
    if not calls:
        content = ToolCallDeltaContent(text="")
        return [ToolCallDelta(content=content, parse_status=ToolCallParseStatus.TOOL_CALL_PARSE_STATUS_FAILURE)]
    return [
        ToolCallDelta(
            content=ToolCallDeltaContent(tool_call=call),
            parse_status=ToolCallParseStatus.TOOL_CALL_PARSE_STATUS_SUCCESS,
        )
        for call in calls
    ]


def delta_of(piece: Piece) -> ChatCompletionDelta:
    """Return a piece as the delta of a chat completion event."""
    return ChatCompletionDelta(text=piece) if isinstance(piece, str) else ChatCompletionDelta(tool_call=piece)
