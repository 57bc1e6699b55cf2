"""Requests of ``llamastack.openai.v1`` as the JSON bodies of OpenAI's API, for servers elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from google.protobuf.descriptor import FieldDescriptor

from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from llamastack.openai.v1 import chat_message_pb2, chat_pb2, chat_tool_pb2, completion_pb2, embedding_pb2, usage_pb2
from mesh.json_text import loose_of

Json: TypeAlias = dict[str, Any]
Writer: TypeAlias = Callable[[Any], Any]


def chat_body(request: chat_pb2.ChatCompletionRequest) -> Json:
    """Return the body of a chat completion."""
    return _members(request, _CHAT)


def completion_body(request: completion_pb2.CompletionRequest) -> Json:
    """Return the body of a completion."""
    return _members(request, _COMPLETION)


def embeddings_body(request: embedding_pb2.EmbeddingsRequest) -> Json:
    """Return the body of an embeddings request."""
    return _members(request, _EMBEDDINGS)


def _members(message: Any, writers: Mapping[str, Writer]) -> Json:
    """Return the fields that are set, each by its writer; scalars, maps and lists of scalars need none."""
    return {field.name: writers.get(field.name, _plain(field))(value) for field, value in message.ListFields()}


def _plain(field: FieldDescriptor) -> Writer:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return dict
    return list if field.is_repeated else _same


def _same(value: Any) -> Any:
    return value


def _spelled(enum: Any, prefix: str) -> Writer:
    """Return the writer of an enum: the value's name in lower case without the prefix."""
    return lambda number: enum.Name(number).removeprefix(prefix).lower()


def _each(writer: Writer) -> Writer:
    return lambda values: [writer(value) for value in values]


def _object(value: JsonObject) -> Any:
    return loose_of(JsonValue(object_value=value))


def _content(content: chat_message_pb2.ChatContent) -> str | list[Json]:
    if content.WhichOneof("content") == "parts":
        return [_part(part) for part in content.parts.parts]
    return content.text


def _part(part: chat_message_pb2.ChatContentPart) -> Json:
    match part.WhichOneof("part"):
        case "image":
            return {"type": "image_url", "image_url": _members(part.image.image_url, {})}
        case "refusal":
            return {"type": "refusal", "refusal": part.refusal.refusal}
        case _:
            return {"type": "text", "text": part.text.text}


def _message(message: chat_message_pb2.ChatMessage) -> Json:
    role = message.WhichOneof("message") or ""
    return {"role": role} | _members(getattr(message, role), _MESSAGE)


def _call(call: chat_tool_pb2.ChatToolCall) -> Json:
    return {"type": "function", "id": call.id, "function": _function_call(call.function)}


def _function_call(function: chat_tool_pb2.ChatFunctionCall) -> Json:
    return {"name": function.name, "arguments": function.arguments}


def _tool(tool: chat_tool_pb2.ChatTool) -> Json:
    return {"type": "function", "function": _members(tool.function, {"parameters": _object})}


def _tool_choice(choice: chat_tool_pb2.ToolChoice) -> Any:
    match choice.WhichOneof("choice"):
        case "named":
            return _named(choice.named)
        case "allowed":
            allowed = choice.allowed.allowed_tools
            form = {"mode": _MODE(allowed.mode), "tools": [_named(tool) for tool in allowed.tools]}
            return {"type": "allowed_tools", "allowed_tools": form}
        case _:
            return _MODE(choice.mode)


def _named(tool: chat_tool_pb2.NamedToolChoice) -> Json:
    return {"type": "function", "function": {"name": tool.function.name}}


def _response_format(wanted: chat_pb2.ResponseFormat) -> Json:
    kind = wanted.WhichOneof("format")
    if kind == "json_schema":
        return {"type": kind, kind: _members(wanted.json_schema.json_schema, {"schema": _object})}
    return {"type": kind}


def _stop(stop: usage_pb2.Stop) -> str | list[str]:
    return stop.text if stop.WhichOneof("stop") == "text" else list(stop.texts.values)


def _input(text: usage_pb2.TextInput) -> Any:
    match text.WhichOneof("input"):
        case "texts":
            return list(text.texts.values)
        case "tokens":
            return list(text.tokens.ids)
        case "token_lists":
            return [list(tokens.ids) for tokens in text.token_lists.values]
        case _:
            return text.text


def _fields(*names: str) -> Writer:
    """Return the writer of a message of scalars, of which only these fields are sent."""
    return lambda message: {name: value for name, value in _members(message, {}).items() if name in names}


_MODE: Final = _spelled(chat_tool_pb2.ToolChoiceMode, "TOOL_CHOICE_MODE_")
_STREAM_OPTIONS: Final = _fields("include_usage")
_MESSAGE: Final[Mapping[str, Writer]] = {
    "content": _content,
    "tool_calls": _each(_call),
    "function_call": _function_call,
    "annotations": _each(_object),
    "audio": loose_of,
}
_CHAT: Final[Mapping[str, Writer]] = {
    "messages": _each(_message),
    "stop": _stop,
    "tools": _each(_tool),
    "tool_choice": _tool_choice,
    "response_format": _response_format,
    "stream_options": _STREAM_OPTIONS,
    "reasoning_effort": _spelled(chat_pb2.ReasoningEffort, "REASONING_EFFORT_"),
    "verbosity": _spelled(chat_pb2.Verbosity, "VERBOSITY_"),
    "service_tier": _spelled(usage_pb2.ServiceTier, "SERVICE_TIER_"),
    "modalities": _each(_spelled(chat_pb2.Modality, "MODALITY_")),
    "prediction": lambda prediction: {"type": "content", "content": _content(prediction.content)},
    "prompt_cache_options": _fields("mode", "ttl"),
}
_COMPLETION: Final[Mapping[str, Writer]] = {"prompt": _input, "stop": _stop, "stream_options": _STREAM_OPTIONS}
_EMBEDDINGS: Final[Mapping[str, Writer]] = {
    "input": _input,
    "encoding_format": _spelled(embedding_pb2.EncodingFormat, "ENCODING_FORMAT_"),
}
