"""Messages in the JSON of the RFC, for services elsewhere that are asked about them."""

from __future__ import annotations

from typing import Any, Final

from llamastack.common.v1.content_pb2 import Attachment, Content
from llamastack.common.v1.message_pb2 import Message, StopReason
from llamastack.common.v1.tool_pb2 import ToolCall
from mesh.json_text import loose_of
from services.agents.safety.message_text import tool_name

_ROLES: Final = {"user": "user", "system": "system", "tool_response": "ipython", "completion": "assistant"}


def message_json(message: Message) -> dict[str, Any]:
    """Return a message as values that the standard library's ``json`` writes."""
    kind = message.WhichOneof("message") or "user"
    said = getattr(message, kind)
    written: dict[str, Any] = {"role": _ROLES[kind], "content": _content(said.content)}
    if kind == "tool_response":
        written |= {"call_id": said.call_id, "tool_name": tool_name(said.tool_name)}
    if kind == "completion":
        reason = StopReason.Name(said.stop_reason).removeprefix("STOP_REASON_").lower()
        written |= {"stop_reason": reason, "tool_calls": [_call(call) for call in said.tool_calls]}
    return written


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = {name: loose_of(call.arguments[name]) for name in sorted(call.arguments)}
    return {"call_id": call.call_id, "tool_name": tool_name(call.tool_name), "arguments": arguments}


def _content(content: Content) -> Any:
    match content.WhichOneof("content"):
        case "parts":
            parts = content.parts.parts
            return [_file(part.attachment) if part.WhichOneof("part") == "attachment" else part.text for part in parts]
        case "attachment":
            return _file(content.attachment)
        case _:
            return content.text


def _file(attachment: Attachment) -> dict[str, str]:
    return {"url": attachment.url.uri, "mime_type": attachment.mime_type}
