"""The prompt format of Llama 3.1 and later 3.x: messages to tokens, output to messages.

Source: the published model cards of Llama 3.1 and 3.2. Pure but for the clock and the source of call ids, which are
given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from llamastack.common.v1.message_pb2 import CompletionMessage, Message, StopReason
from llamastack.common.v1.tool_pb2 import ToolPromptFormat
from mesh.errors import InvalidField
from services.inference.prompt import tokens
from services.inference.prompt.call_reading import NewCallId
from services.inference.prompt.call_writing import write_calls
from services.inference.prompt.llama3_decoding import REASONS
from services.inference.prompt.llama3_stream import Llama3Stream
from services.inference.prompt.prompt_format import Conversation, Prompt
from services.inference.prompt.segments import Segments, add_content, add_tool_result
from services.inference.prompt.stream_decoder import StreamDecoder
from services.inference.prompt.system_section import system_head
from services.inference.prompt.tool_definitions import write_definitions
from services.inference.prompt.tool_names import is_builtin
from services.inference.prompt.vocabulary import Vocabulary

ROLES: Final = {"system": "system", "user": "user", "tool_response": "ipython", "completion": "assistant"}
"""The role in a header by the kind of message."""

_NEEDED: Final = frozenset(
    {tokens.BEGIN_OF_TEXT, tokens.START_HEADER, tokens.END_HEADER, tokens.EOM, tokens.EOT, tokens.PYTHON_TAG}
)


@dataclass(frozen=True, slots=True)
class Llama3Format:
    """The PromptFormat of Llama 3.

    Attributes:
        vocabulary: the checkpoint's.
        today: gives the date of the system section.
        new_call_id: gives the ids of tool calls.
        vision: whether the model reads images.

    Raises:
        ValueError: the vocabulary lacks a special token that prompts are made of.
    """

    vocabulary: Vocabulary
    today: Callable[[], date]
    new_call_id: NewCallId
    vision: bool = False

    def __post_init__(self) -> None:
        needed = _NEEDED | {tokens.IMAGE} if self.vision else _NEEDED
        missing = needed - self.vocabulary.known_ids(needed).keys()
        if missing:
            raise ValueError(f"the vocabulary lacks the special tokens {', '.join(sorted(missing))}")

    def encode(self, conversation: Conversation) -> Prompt:
        segments = encode(conversation, self.today(), vision=self.vision)
        return Prompt(
            text=segments.text(),
            token_ids=segments.token_ids(self.vocabulary),
            images=tuple(segments.images),
            stop_token_ids=tuple(self.vocabulary.known_ids(tokens.STOP).values()),
        )

    def decoder(self, conversation: Conversation) -> StreamDecoder:
        return Llama3Stream(self.new_call_id, tools_offered=bool(conversation.tools))

    def stop_reason(self, finish_reason: str | None, stop_token_id: int | None) -> StopReason.ValueType:
        if finish_reason != "stop":
            return StopReason.STOP_REASON_OUT_OF_TOKENS
        ends = {token_id: REASONS[name] for name, token_id in self.vocabulary.known_ids(tokens.STOP).items()}
        return ends.get(-1 if stop_token_id is None else stop_token_id, StopReason.STOP_REASON_END_OF_TURN)


def encode(conversation: Conversation, today: date, *, vision: bool) -> Segments:
    """Return the prompt for the next message of a conversation; it ends with an open assistant header.

    The first message, if it is a system message, gives the instructions of the system section; later ones stay where
    they are.

    Raises:
        InvalidField: a message holds a file that the model can't read.
    """
    return _Encoder(conversation, vision).encode(today)


class _Encoder:
    """One conversation on its way into segments."""

    def __init__(self, conversation: Conversation, vision: bool) -> None:
        self._conversation = conversation
        self._vision = vision
        self._segments = Segments()

    def encode(self, today: date) -> Segments:
        self._segments.special(tokens.BEGIN_OF_TEXT)
        messages = self._conversation.messages
        leading = bool(messages) and messages[0].WhichOneof("message") == "system"
        if leading or self._conversation.tools or not self._conversation.bare:
            self._system(today, messages[0] if leading else None)
        for position in range(int(leading), len(messages)):
            self._message(messages[position], f"messages[{position}].content")
        self._header("assistant")
        return self._segments

    def _system(self, today: date, instructions: Message | None) -> None:
        """Append the system section, and the custom tools in it or after it as their format has it."""
        tool_format = self._conversation.tool_prompt_format
        custom = [tool for tool in self._conversation.tools if not is_builtin(tool.tool_name)]
        definitions = write_definitions(custom, tool_format, self._conversation.schemas) if custom else ""
        in_system = tool_format == ToolPromptFormat.TOOL_PROMPT_FORMAT_PYTHON_LIST
        self._header("system")
        self._segments.plain(system_head(self._conversation.tools, today))
        if definitions and in_system:
            self._segments.plain(f"\n\n{definitions}")
        if instructions is not None:
            self._segments.plain("\n\n")
            add_content(self._segments, instructions.system.content, "messages[0].content", vision=self._vision)
        self._segments.special(tokens.EOT)
        if definitions and not in_system:
            self._header("user")
            self._segments.plain(definitions)
            self._segments.special(tokens.EOT)

    def _header(self, role: str) -> None:
        self._segments.special(tokens.START_HEADER)
        self._segments.plain(role)
        self._segments.special(tokens.END_HEADER)
        self._segments.plain("\n\n")

    def _message(self, message: Message, path: str) -> None:
        kind = message.WhichOneof("message")
        if kind is None:
            raise InvalidField(path.removesuffix(".content"), "must be a user, system, ipython or assistant message")
        self._header(ROLES[kind])
        end = tokens.EOT
        match kind:
            case "tool_response":
                add_tool_result(self._segments, message.tool_response.content, vision=self._vision)
            case "completion":
                end = self._completion(message.completion, path)
            case _:
                content = message.user.content if kind == "user" else message.system.content
                add_content(self._segments, content, path, vision=self._vision)
        self._segments.special(end)

    def _completion(self, message: CompletionMessage, path: str) -> str:
        """Append what the model said, and return the token that ends it."""
        if message.tool_calls:
            self._segments.special(tokens.PYTHON_TAG)
        add_content(self._segments, message.content, path, vision=self._vision)
        self._segments.plain(write_calls(message.tool_calls, self._conversation.tool_prompt_format))
        return tokens.EOM if message.stop_reason == StopReason.STOP_REASON_END_OF_MESSAGE else tokens.EOT
