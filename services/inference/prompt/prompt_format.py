"""What a family of models needs: conversations into prompts, output into messages.

The engine's side knows PromptFormat alone; ``llama3`` and ``chat_template`` implement it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from llamastack.common.v1.content_pb2 import Attachment
from llamastack.common.v1.message_pb2 import Message, StopReason
from llamastack.common.v1.tool_pb2 import ToolDefinition, ToolPromptFormat
from llamastack.common.v1.value_pb2 import JsonObject
from services.inference.prompt.stream_decoder import StreamDecoder


@dataclass(frozen=True, slots=True)
class Conversation:
    """What the next message is asked for: messages, oldest first, and the tools that may be called.

    ``schemas`` holds the JSON Schema of a tool's parameters by the tool's name, where it says more than the definition.
    With ``bare`` a conversation without tools and system message gets no system section.
    """

    messages: Sequence[Message]
    tools: Sequence[ToolDefinition] = ()
    tool_prompt_format: ToolPromptFormat.ValueType = ToolPromptFormat.TOOL_PROMPT_FORMAT_UNSPECIFIED
    schemas: Mapping[str, JsonObject] = field(default_factory=dict)
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation as a model reads it.

    Attributes:
        text: for people and tests. Never tokenize it: a user's text may spell special tokens in it.
        token_ids: what the engine is given; special tokens in it are the format's own, never from a message.
        images: one per image token of the prompt, in order; the engine's multimodal input.
        stop_token_ids: the tokens that end the answer.
    """

    text: str
    token_ids: tuple[int, ...]
    images: tuple[Attachment, ...]
    stop_token_ids: tuple[int, ...]


class PromptFormat(Protocol):
    """The prompt format of a loaded model; stateless, shared by all requests."""

    def encode(self, conversation: Conversation) -> Prompt:
        """Return the prompt for the next message.

        Raises:
            InvalidField: a message holds a file that this model can't read; the path names the message's content.
        """

    def decoder(self, conversation: Conversation) -> StreamDecoder:
        """Return a decoder for one answer to the conversation."""

    def stop_reason(self, finish_reason: str | None, stop_token_id: int | None) -> StopReason.ValueType:
        """Return the stop reason for the engine's ``finish_reason`` (``stop`` or ``length``) and the token it ended on.

        ``stop_token_id`` is None when a stop string or nothing ended the generation.
        """
