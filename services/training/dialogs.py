"""Dialogs in the rows of datasets, which are JSON, and as the contract's messages.

Rows hold the RFC's form of a message, or any object with ``role`` and ``content``; tool calls may also be in the form
of the OpenAI API. What is written is always the RFC's form.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from llamastack.common.v1.content_pb2 import Attachment, Content, ContentPart, ContentParts, Url
from llamastack.common.v1.message_pb2 import (
    CompletionMessage,
    Message,
    StopReason,
    SystemMessage,
    ToolResponseMessage,
    UserMessage,
)
from llamastack.common.v1.tool_pb2 import BuiltinTool, ToolCall, ToolName
from mesh.json_text import loose_of, value_of

_BUILTIN: Final = {
    name.removeprefix("BUILTIN_TOOL_").lower(): number for name, number in BuiltinTool.items() if number != 0
}
_BUILTIN_NAMES: Final = {number: name for name, number in _BUILTIN.items()}
_STOPS: Final = {name.removeprefix("STOP_REASON_").lower(): number for name, number in StopReason.items()}
_STOP_NAMES: Final = {number: name for name, number in _STOPS.items()}
_UNNAMED: Final = "tool"


def messages_of(dialog: Sequence[dict[str, Any]]) -> list[Message]:
    """Return the messages of a dialog that was checked when it was stored.

    Raises:
        ValueError: a tool call is in no known form.
    """
    return [_message(item) for item in dialog]


def dialog_of(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return messages in the RFC's form."""
    return [_object(message) for message in messages]


def text_of(content: Content) -> str:
    """Return the text of a content; attachments are left out."""
    match content.WhichOneof("content"):
        case "text":
            return content.text
        case "parts":
            return "".join(part.text for part in content.parts.parts if part.WhichOneof("part") == "text")
        case _:
            return ""


def _message(item: dict[str, Any]) -> Message:
    content = _content(item.get("content"))
    match item["role"]:
        case "user":
            return Message(user=UserMessage(content=content))
        case "system":
            return Message(system=SystemMessage(content=content))
        case "assistant":
            stop = _STOPS.get(item.get("stop_reason", ""), StopReason.STOP_REASON_END_OF_TURN)
            calls = map(_call, item.get("tool_calls", ()))
            return Message(completion=CompletionMessage(content=content, stop_reason=stop, tool_calls=calls))
        case _:
            name = item.get("tool_name") or item.get("name") or _UNNAMED
            call_id = item.get("call_id") or item.get("tool_call_id") or ""
            return Message(
                tool_response=ToolResponseMessage(call_id=str(call_id), tool_name=_tool(name), content=content)
            )


def _content(value: Any) -> Content:
    if isinstance(value, list):
        return Content(parts=ContentParts(parts=[_part(part) for part in value]))
    if isinstance(value, dict):
        return Content(attachment=_attachment(value))
    return Content(text=value or "")


def _part(value: Any) -> ContentPart:
    return ContentPart(text=value) if isinstance(value, str) else ContentPart(attachment=_attachment(value))


def _attachment(value: dict[str, Any]) -> Attachment:
    url = value["url"]
    return Attachment(url=Url(uri=url if isinstance(url, str) else url["uri"]), mime_type=value["mime_type"])


def _tool(name: Any) -> ToolName:
    known = _BUILTIN.get(str(name))
    return ToolName(custom=str(name)) if known is None else ToolName(builtin=known)


def _call(value: dict[str, Any]) -> ToolCall:
    function = value.get("function")
    if isinstance(function, dict):
        name, arguments, call_id = function.get("name"), function.get("arguments"), value.get("id", "")
        arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
    else:
        name, arguments, call_id = value.get("tool_name"), value.get("arguments"), value.get("call_id", "")
    if not (isinstance(name, str) and name and isinstance(arguments, dict)):
        raise ValueError("a tool call with call_id, tool_name and arguments is needed")
    return ToolCall(
        call_id=str(call_id),
        tool_name=_tool(name),
        arguments={key: value_of(item) for key, item in arguments.items()},
    )


def _object(message: Message) -> dict[str, Any]:
    match message.WhichOneof("message"):
        case "user":
            return {"role": "user", "content": _loose(message.user.content)}
        case "system":
            return {"role": "system", "content": _loose(message.system.content)}
        case "completion":
            completion = message.completion
            return {
                "role": "assistant",
                "content": _loose(completion.content),
                "stop_reason": _STOP_NAMES[completion.stop_reason or StopReason.STOP_REASON_END_OF_TURN],
                "tool_calls": [_call_object(call) for call in completion.tool_calls],
            }
        case _:
            response = message.tool_response
            return {
                "role": "ipython",
                "call_id": response.call_id,
                "tool_name": _tool_name(response.tool_name),
                "content": _loose(response.content),
            }


def _loose(content: Content) -> Any:
    match content.WhichOneof("content"):
        case "attachment":
            return _attachment_object(content.attachment)
        case "parts":
            return [
                part.text if part.WhichOneof("part") != "attachment" else _attachment_object(part.attachment)
                for part in content.parts.parts
            ]
        case _:
            return content.text


def _attachment_object(attachment: Attachment) -> dict[str, str]:
    return {"url": attachment.url.uri, "mime_type": attachment.mime_type}


def _call_object(call: ToolCall) -> dict[str, Any]:
    return {
        "call_id": call.call_id,
        "tool_name": _tool_name(call.tool_name),
        "arguments": {key: loose_of(value) for key, value in call.arguments.items()},
    }


def _tool_name(name: ToolName) -> str:
    return _BUILTIN_NAMES[name.builtin] if name.WhichOneof("name") == "builtin" else name.custom
