"""A conversation of OpenAI's API as the messages that prompt formats know, one for one, so that paths stay right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llamastack.common.v1.content_pb2 import Attachment, Content, ContentPart, ContentParts, Url
from llamastack.common.v1.message_pb2 import (
    CompletionMessage,
    Message,
    StopReason,
    SystemMessage,
    ToolResponseMessage,
    UserMessage,
)
from llamastack.common.v1.tool_pb2 import ToolCall, ToolName
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.openai.v1 import chat_message_pb2 as pb
from llamastack.openai.v1.chat_tool_pb2 import ChatFunctionCall
from mesh import json_text
from mesh.errors import InvalidField

UNKNOWN_IMAGE = "image/*"
OBJECT = "must be a JSON object"


def conversation_messages(messages: Iterable[pb.ChatMessage]) -> list[Message]:
    """Return the messages; tool messages get the name of the tool that their call named.

    Raises:
        InvalidField: the arguments of a call are no JSON object, or a tool message answers no call.
    """
    names: dict[str, str] = {}
    converted = []
    for position, message in enumerate(messages):
        path = f"messages[{position}]"
        match message.WhichOneof("message"):
            case "system":
                content = _content(message.system.content)
                converted.append(Message(system=SystemMessage(content=content)))
            case "developer":
                content = _content(message.developer.content)
                converted.append(Message(system=SystemMessage(content=content)))
            case "user":
                converted.append(Message(user=UserMessage(content=_content(message.user.content))))
            case "assistant":
                names |= {call.id: call.function.name for call in message.assistant.tool_calls}
                converted.append(Message(completion=_completion(message.assistant, path)))
            case _:
                converted.append(Message(tool_response=_tool_response(message.tool, names, path)))
    return converted


def _completion(message: pb.AssistantMessage, path: str) -> CompletionMessage:
    calls = [
        _call(call.function, call.id, f"{path}.tool_calls[{index}].function")
        for index, call in enumerate(message.tool_calls)
    ]
    if message.HasField("function_call"):
        calls.append(_call(message.function_call, "", f"{path}.function_call"))
    content = _content(message.content)
    if message.HasField("refusal"):
        content = Content(parts=ContentParts(parts=[*_parts(content), ContentPart(text=message.refusal)]))
    return CompletionMessage(content=content, tool_calls=calls, stop_reason=StopReason.STOP_REASON_END_OF_TURN)


def _call(function: ChatFunctionCall, call_id: str, path: str) -> ToolCall:
    """Return an earlier call; its name is the caller's own, so that it is never one of the builtin tools."""
    arguments = _arguments(function.arguments, f"{path}.arguments")
    return ToolCall(call_id=call_id, tool_name=ToolName(custom=function.name), arguments=arguments)


def _arguments(text: str, path: str) -> dict[str, JsonValue]:
    stripped = text.strip()
    if not stripped:
        return {}
    try:
        loose, end = json_text.read(stripped)
        value = json_text.value_of(loose)
    except ValueError as error:
        raise InvalidField(path, OBJECT) from error
    if end != len(stripped) or value.WhichOneof("kind") != "object_value":
        raise InvalidField(path, OBJECT)
    return dict(value.object_value.fields)


def _tool_response(message: pb.ToolMessage, names: dict[str, str], path: str) -> ToolResponseMessage:
    name = message.name or names.get(message.tool_call_id, "")
    if not name:
        raise InvalidField(f"{path}.tool_call_id", "must be the id of a tool call in an earlier assistant message")
    return ToolResponseMessage(
        call_id=message.tool_call_id, tool_name=ToolName(custom=name), content=_content(message.content)
    )


def _content(content: pb.ChatContent) -> Content:
    if content.WhichOneof("content") != "parts":
        return Content(text=content.text)
    return Content(parts=ContentParts(parts=map(_part, content.parts.parts)))


def _parts(content: Content) -> Sequence[ContentPart]:
    if content.WhichOneof("content") == "parts":
        return content.parts.parts
    return [ContentPart(text=content.text)] if content.text else []


def _part(part: pb.ChatContentPart) -> ContentPart:
    match part.WhichOneof("part"):
        case "image":
            uri = part.image.image_url.url
            return ContentPart(attachment=Attachment(url=Url(uri=uri), mime_type=_media_type(uri)))
        case "refusal":
            return ContentPart(text=part.refusal.refusal)
        case _:
            return ContentPart(text=part.text.text)


def _media_type(uri: str) -> str:
    """Return the media type that a ``data:`` URL names; for others it is not known before they are fetched."""
    head, comma, _ = uri.partition(",")
    if not comma or not head.startswith("data:"):
        return UNKNOWN_IMAGE
    return head.removeprefix("data:").partition(";")[0] or "text/plain"
