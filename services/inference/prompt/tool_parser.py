"""Reads tool calls with vLLM's parser of a model's family.

The only module here that knows vLLM, and it imports it where a parser is made. Such a parser may read the whole output
again for each piece; that is vLLM's cost, not ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from llamastack.common.v1.message_pb2 import StopReason
from llamastack.common.v1.tool_pb2 import ToolCall
from mesh.json_text import read, unicode, value_of
from services.inference.engines.importing import IMPORTING
from services.inference.prompt.call_reading import NewCallId
from services.inference.prompt.llama3_decoding import closing_reason
from services.inference.prompt.plain_stream import SpecialFilter
from services.inference.prompt.stream_decoder import Decoded, End, Piece, StreamDecoder, in_progress, outcome, started
from services.inference.prompt.tool_names import name_of


class CallParser(Protocol):
    """What is used of vLLM's ToolParser; one object reads one output."""

    def extract_tool_calls(self, model_output: str, request: Any) -> Any:
        """Return vLLM's ExtractedToolCallInformation for a whole output."""

    def extract_tool_calls_streaming(
        self,
        previous_text: str,
        current_text: str,
        delta_text: str,
        previous_token_ids: Sequence[int],
        current_token_ids: Sequence[int],
        delta_token_ids: Sequence[int],
        request: Any,
    ) -> Any:
        """Return vLLM's DeltaMessage for a further piece, or None."""


class ToolParsers:
    """Makes the decoders of answers for one model; a ToolStreams of ``chat_template``."""

    def __init__(self, name: str, tokenizer: Any, special_tokens: Sequence[str], new_call_id: NewCallId) -> None:
        """Load a parser.

        Args:
            name: vLLM's name of the parser, for example ``hermes``.
            tokenizer: the model's, as vLLM's parsers want it (a tokenizer of transformers).
            special_tokens: those to leave out of text, longest first.
            new_call_id: gives the ids of calls.

        Raises:
            KeyError: vLLM has no parser of that name.
        """
        with IMPORTING:
            from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
            from vllm.tool_parsers import ToolParserManager

        self._parser_class = ToolParserManager.get_tool_parser(name)
        self._request_class = ChatCompletionRequest
        self._tokenizer = tokenizer
        self._special_tokens = special_tokens
        self._new_call_id = new_call_id

    def __call__(self, tools: Sequence[dict[str, Any]]) -> StreamDecoder:
        """Return the decoder of one answer, given the tools in the form of the OpenAI API."""
        request = self._request_class.model_validate({"messages": [], "tools": tools, "tool_choice": "auto"})
        parsers = [self._parser_class(self._tokenizer, list(request.tools or ())) for _ in range(2)]
        return ToolParserStream((parsers[0], parsers[1]), request, self._special_tokens, self._new_call_id)


class ToolParserStream:
    """The StreamDecoder over a parser of vLLM; what the answer means is said by the parser's reading of the whole."""

    def __init__(
        self,
        parsers: tuple[CallParser, CallParser],
        request: Any,
        special_tokens: Sequence[str],
        new_call_id: NewCallId,
    ) -> None:
        """Take two fresh parsers, the first for the pieces, the second for the whole, and the request they want."""
        self._parser, self._whole = parsers
        self._request = request
        self._special_tokens = special_tokens
        self._filter = SpecialFilter(special_tokens)
        self._new_call_id = new_call_id
        self._output = ""
        self._ids: list[int] = []
        self._texts: list[str] = []
        self._indexes: set[int] = set()

    @property
    def stopped(self) -> bool:
        return False

    def push(self, text: str, token_ids: Sequence[int] = ()) -> Sequence[Piece]:
        before, ids_before = self._output, list(self._ids)
        self._output += text
        self._ids += token_ids
        delta = self._parser.extract_tool_calls_streaming(
            before, self._output, text, ids_before, self._ids, list(token_ids), self._request
        )
        return [] if delta is None else self._pieces(delta)

    def _pieces(self, delta: Any) -> list[Piece]:
        pieces: list[Piece] = []
        if delta.content:
            self._emit(self._filter.push(delta.content), pieces)
        for call in delta.tool_calls or ():
            if call.index not in self._indexes:
                self._indexes.add(call.index)
                pieces.append(started())
            if call.function is not None and call.function.arguments:
                pieces.append(in_progress(call.function.arguments))
        return pieces

    def finish(self, stop_reason: StopReason.ValueType = StopReason.STOP_REASON_UNSPECIFIED) -> End:
        reason = closing_reason(stop_reason)
        found = self._whole.extract_tool_calls(self._output, self._request)
        calls = self._calls(found)
        pieces: list[Piece] = []
        if calls or self._indexes:
            if not self._indexes:
                pieces.append(started())
            pieces += outcome(calls)
            text = "" if calls else self._output
            return End(pieces, Decoded(text, tuple(calls), reason, failed=not calls))
        self._emit(self._filter.finish(), pieces)
        self._emit(self._held_back(found.content or ""), pieces)
        return End(pieces, Decoded("".join(self._texts), (), reason))

    def _held_back(self, content: str) -> str:
        """Return the text that the parser kept back as the possible beginning of a call."""
        whole = SpecialFilter(self._special_tokens)
        content = whole.push(content) + whole.finish()
        return content.removeprefix("".join(self._texts))

    def _calls(self, found: Any) -> list[ToolCall]:
        """Return the calls that the parser found; none if one of them is not readable."""
        calls = []
        try:
            for call in found.tool_calls if found.tools_called else ():
                arguments, _ = read((call.function.arguments or "{}").strip())
                if not isinstance(arguments, dict):
                    return []
                values = {unicode(name): value_of(value) for name, value in arguments.items()}
                name = name_of(unicode(call.function.name))
                calls.append(ToolCall(call_id=self._new_call_id(), tool_name=name, arguments=values))
        except ValueError:
            return []
        return calls

    def _emit(self, text: str, pieces: list[Piece]) -> None:
        if text:
            self._texts.append(text)
            pieces.append(text)
