"""What a message says, as plain text for whoever judges it."""

from __future__ import annotations

from llamastack.common.v1.content_pb2 import Content, ContentPart
from llamastack.common.v1.message_pb2 import CompletionMessage, Message
from llamastack.common.v1.tool_pb2 import BuiltinTool, ToolCall, ToolName
from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from mesh.json_text import write


def text_of(message: Message) -> str:
    """Return what a message says.

    Files are named by their media type, for what judges reads texts only. Calls of tools are told as well, one of the
    code interpreter as its code.
    """
    match message.WhichOneof("message"):
        case "user":
            return content_text(message.user.content)
        case "system":
            return content_text(message.system.content)
        case "tool_response":
            return content_text(message.tool_response.content)
        case _:
            return _completion(message.completion)


def content_text(content: Content) -> str:
    """Return the text of a content, with its files named."""
    match content.WhichOneof("content"):
        case "parts":
            return "".join(map(_part, content.parts.parts))
        case "attachment":
            return _part(ContentPart(attachment=content.attachment))
        case _:
            return content.text


def code_of(call: ToolCall) -> str:
    """Return the code that a call of the code interpreter runs; empty for any other call."""
    is_code = call.tool_name.builtin == BuiltinTool.BUILTIN_TOOL_CODE_INTERPRETER
    return call.arguments["code"].string_value if is_code and "code" in call.arguments else ""


def tool_name(name: ToolName) -> str:
    """Return a tool's name as the RFC spells it."""
    builtin = BuiltinTool.Name(name.builtin).removeprefix("BUILTIN_TOOL_").lower()
    return name.custom if name.WhichOneof("name") == "custom" else builtin


def _completion(message: CompletionMessage) -> str:
    return "\n".join(filter(None, [content_text(message.content), *map(_call, message.tool_calls)]))


def _call(call: ToolCall) -> str:
    arguments = write(JsonValue(object_value=JsonObject(fields=call.arguments)))
    return code_of(call) or f"{tool_name(call.tool_name)}({arguments})"


def _part(part: ContentPart) -> str:
    is_file = part.WhichOneof("part") == "attachment"
    return f"[file of type {part.attachment.mime_type}]" if is_file else part.text
