"""The prompt format of any family whose checkpoint brings a chat template: the template renders, a tool parser reads.

Knows neither transformers nor vLLM: the renderer is a Protocol that a transformers tokenizer satisfies, and the reader
of calls is given (``tool_parser``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from jinja2 import TemplateError

from llamastack.common.v1.content_pb2 import Attachment, Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, StopReason
from llamastack.common.v1.tool_pb2 import ToolDefinition
from llamastack.common.v1.value_pb2 import JsonValue
from mesh.errors import InvalidField
from mesh.json_text import Loose, loose_of
from services.inference.prompt.plain_stream import PlainStream
from services.inference.prompt.prompt_format import Conversation, Prompt
from services.inference.prompt.segments import Segments, add_content, add_tool_result
from services.inference.prompt.stream_decoder import StreamDecoder
from services.inference.prompt.tool_definitions import is_required
from services.inference.prompt.tool_names import CODE_INTERPRETER, is_builtin, text_of
from services.inference.prompt.vocabulary import Vocabulary

JsonObject: TypeAlias = dict[str, Any]

_MARK: Final = re.compile("\ue000(\\d+)\ue001")


class Renderer(Protocol):
    """What is wanted of a tokenizer of transformers: its chat template."""

    def apply_chat_template(
        self,
        conversation: list[JsonObject],
        tools: list[JsonObject] | None = None,
        *,
        add_generation_prompt: bool,
        tokenize: bool,
    ) -> Any:
        """Return the conversation as text when ``tokenize`` is false."""


ToolStreams: TypeAlias = Callable[[Sequence[JsonObject]], StreamDecoder]
"""Makes the decoder of one answer, given the tools in the form of the OpenAI API."""


@dataclass(frozen=True, slots=True)
class TemplateFormat:
    """The PromptFormat of a chat template.

    Attributes:
        renderer: has the template.
        vocabulary: the checkpoint's.
        stop_token_ids: the tokens that end an answer.
        tool_streams: reads calls out of answers where tools are offered; None for a model that has no tools.
        vision: whether the model reads images.
    """

    renderer: Renderer
    vocabulary: Vocabulary
    stop_token_ids: tuple[int, ...]
    tool_streams: ToolStreams | None = None
    vision: bool = False

    def encode(self, conversation: Conversation) -> Prompt:
        images: list[Attachment] = []
        messages = [
            _message(message, f"messages[{position}].content", images, self.vision)
            for position, message in enumerate(conversation.messages)
        ]
        quoted = _Quotation(self.vocabulary)
        tools = quoted.of(_tool_schemas(conversation)) or None
        try:
            text: str = self.renderer.apply_chat_template(
                quoted.of(messages), tools, add_generation_prompt=True, tokenize=False
            )
        except TemplateError as error:
            raise InvalidField("messages", f"must suit the model's chat template: {error}") from error
        return Prompt(quoted.restored(text), tuple(quoted.token_ids(text)), tuple(images), self.stop_token_ids)

    def decoder(self, conversation: Conversation) -> StreamDecoder:
        if self.tool_streams is None or not conversation.tools:
            return PlainStream(self.vocabulary.special_tokens)
        return self.tool_streams(_tool_schemas(conversation))

    def stop_reason(self, finish_reason: str | None, stop_token_id: int | None) -> StopReason.ValueType:
        ended = finish_reason == "stop"
        return StopReason.STOP_REASON_END_OF_TURN if ended else StopReason.STOP_REASON_OUT_OF_TOKENS


class _Quotation:
    """Takes the names of special tokens out of texts before a template sees them, and puts them back as plain text."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._used = False

    def of(self, value: Any) -> Any:
        """Return a value of texts, lists and mappings with each special token's name replaced by a mark."""
        if isinstance(value, str):
            return self._quoted(value)
        if isinstance(value, list):
            return [self.of(item) for item in value]
        if isinstance(value, Mapping):
            return {self.of(name): self.of(item) for name, item in value.items()}
        return value

    def _quoted(self, text: str) -> str:
        pattern = self._vocabulary.special_pattern
        if pattern is None or not pattern.search(text):
            return text
        self._used = True
        names = self._vocabulary.special_tokens
        return pattern.sub(lambda found: f"\ue000{names.index(found[0])}\ue001", text)

    def restored(self, text: str) -> str:
        """Return a text with the names back in place of the marks."""
        if not self._used:
            return text
        names = self._vocabulary.special_tokens
        return _MARK.sub(lambda mark: names[int(mark[1])] if int(mark[1]) < len(names) else mark[0], text)

    def token_ids(self, rendered: str) -> list[int]:
        """Return the ids of a rendered text. Only the template's own special tokens become such."""
        pattern = self._vocabulary.special_pattern
        if not self._used or pattern is None:
            return self._vocabulary.encode_trusted(rendered)
        segments, at = Segments(), 0
        for found in pattern.finditer(rendered):
            segments.plain(self.restored(rendered[at : found.start()]))
            segments.special(found[0])
            at = found.end()
        segments.plain(self.restored(rendered[at:]))
        return list(segments.token_ids(self._vocabulary))


def _message(message: Message, path: str, images: list[Attachment], vision: bool) -> JsonObject:
    """Return a message in the form that chat templates know, and append its images."""
    segments = Segments()
    kind = message.WhichOneof("message")
    match kind:
        case "tool_response":
            add_tool_result(segments, message.tool_response.content, vision=vision)
            answer = message.tool_response
            form: JsonObject = {"role": "tool", "tool_call_id": answer.call_id, "name": text_of(answer.tool_name)}
        case "completion":
            add_content(segments, message.completion.content, path, vision=vision)
            form = {"role": "assistant"} | _calls(message.completion)
        case "user" | "system":
            content: Content = message.user.content if kind == "user" else message.system.content
            add_content(segments, content, path, vision=vision)
            form = {"role": kind}
        case _:
            raise InvalidField(path.removesuffix(".content"), "must be a user, system, ipython or assistant message")
    images += segments.images
    return form | {"content": _content(segments)}


def _content(segments: Segments) -> str | list[JsonObject]:
    if not segments.images:
        return segments.text()
    return [{"type": "image"} if is_image else {"type": "text", "text": text} for text, is_image in segments.pieces]


def _calls(message: CompletionMessage) -> JsonObject:
    if not message.tool_calls:
        return {}
    calls = []
    for call in message.tool_calls:
        arguments: dict[str, Loose] = {name: loose_of(call.arguments[name]) for name in sorted(call.arguments)}
        function = {"name": text_of(call.tool_name), "arguments": arguments}
        calls.append({"type": "function", "id": call.call_id, "function": function})
    return {"tool_calls": calls}


def _tool_schemas(conversation: Conversation) -> list[JsonObject]:
    """Return the tools with the schemas that the conversation has for them."""
    tools = tool_schemas(conversation.tools)
    for tool in tools:
        schema = conversation.schemas.get(tool["function"]["name"])
        if schema is not None:
            tool["function"]["parameters"] = loose_of(JsonValue(object_value=schema))
    return tools


def tool_schemas(tools: Sequence[ToolDefinition]) -> list[JsonObject]:
    """Return tools in the form of the OpenAI API; builtin ones are given the parameter that they take."""
    return [{"type": "function", "function": _function(tool)} for tool in tools]


def _function(tool: ToolDefinition) -> JsonObject:
    name = text_of(tool.tool_name)
    properties: JsonObject = {}
    for parameter in sorted(tool.parameters):
        definition = tool.parameters[parameter]
        properties[parameter] = {"type": definition.param_type}
        if definition.HasField("description"):
            properties[parameter]["description"] = definition.description
    required = [parameter for parameter in properties if is_required(tool.parameters[parameter])]
    if is_builtin(tool.tool_name) and not properties:
        required = ["code" if name == CODE_INTERPRETER else "query"]
        properties = {required[0]: {"type": "string"}}
    schema = {"type": "object", "properties": properties, "required": required}
    return {"name": name, "description": tool.description, "parameters": schema}
