"""What the model is given for a row: messages, by the row's own dialog or by a template over its columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

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
from mesh.errors import InvalidField
from mesh.json_text import Loose, value_of
from services.eval.evaluations.sample import Row

_PLACE: Final = re.compile(r"\{([^{}]+)\}")
_BUILTIN: Final = {name.removeprefix("BUILTIN_TOOL_").lower(): number for name, number in BuiltinTool.items() if number}


def filled(template: str, row: Row) -> str:
    """Return the template with each "{column}" replaced by the row's value; other braces stay as they are."""

    def value(found: re.Match[str]) -> str:
        known = row.get(found[1]) if found[1] in row.data.fields else found[0]
        return known if isinstance(known, str) else "" if known is None else str(known)

    return _PLACE.sub(value, template)


def user(text: str) -> Message:
    """Return what the user says."""
    return Message(user=UserMessage(content=Content(text=text)))


def system(text: str) -> Message:
    """Return what the model is told."""
    return Message(system=SystemMessage(content=Content(text=text)))


def dialog(value: Loose, column: str) -> Sequence[Message]:
    """Return the messages of a dialog: a list of messages in the RFC's form, or of {role, content} objects.

    Raises:
        InvalidField: it is something else.
    """
    if not isinstance(value, list) or not value:
        raise InvalidField(column, "a list of one or more messages is needed")
    return [_message(item, f"{column}[{index}]") for index, item in enumerate(value)]


def tool_name(name: str) -> ToolName:
    """Return a tool by its name."""
    return ToolName(builtin=_BUILTIN[name]) if name in _BUILTIN else ToolName(custom=name)


def written_name(name: ToolName) -> str:
    """Return the name of a tool as the RFC writes it."""
    if name.WhichOneof("name") == "builtin":
        return BuiltinTool.Name(name.builtin).removeprefix("BUILTIN_TOOL_").lower()
    return name.custom


def _message(value: Loose, path: str) -> Message:
    if not isinstance(value, dict):
        raise InvalidField(path, "a message with role and content is needed")
    content = _content(value.get("content"), f"{path}.content")
    match value.get("role"):
        case "user":
            return Message(user=UserMessage(content=content))
        case "system":
            return Message(system=SystemMessage(content=content))
        case "assistant":
            calls = [_call(item, f"{path}.tool_calls") for item in _list(value.get("tool_calls"))]
            reason = StopReason.STOP_REASON_END_OF_TURN
            return Message(completion=CompletionMessage(content=content, stop_reason=reason, tool_calls=calls))
        case "ipython" | "tool":
            name = str(value.get("tool_name") or value.get("name") or "tool")
            call_id = str(value.get("call_id") or value.get("tool_call_id") or "")
            answer = ToolResponseMessage(call_id=call_id, tool_name=tool_name(name), content=content)
            return Message(tool_response=answer)
        case _:
            raise InvalidField(f"{path}.role", "one of user, system, assistant and ipython is needed")


def _content(value: Loose, path: str) -> Content:
    match value:
        case None:
            return Content(text="")
        case str():
            return Content(text=value)
        case list():
            return Content(parts=ContentParts(parts=[_part(item, path) for item in value]))
        case dict():
            return Content(attachment=_attachment(value, path))
        case _:
            raise InvalidField(path, "a text, an attachment or a list of both is needed")


def _part(value: Loose, path: str) -> ContentPart:
    if isinstance(value, str):
        return ContentPart(text=value)
    if isinstance(value, dict):
        return ContentPart(attachment=_attachment(value, path))
    raise InvalidField(path, "a text, an attachment or a list of both is needed")


def _attachment(value: Mapping[str, Loose], path: str) -> Attachment:
    url, mime_type = value.get("url"), value.get("mime_type")
    uri = url.get("uri") if isinstance(url, dict) else url
    if not isinstance(uri, str) or not isinstance(mime_type, str):
        raise InvalidField(path, "an attachment with url and mime_type is needed")
    return Attachment(url=Url(uri=uri), mime_type=mime_type)


def _call(value: Loose, path: str) -> ToolCall:
    name, arguments = call_parts(value, path)
    call_id = str(value.get("call_id") or "") if isinstance(value, dict) else ""
    return ToolCall(
        call_id=call_id,
        tool_name=tool_name(name),
        arguments={key: value_of(item) for key, item in arguments.items()},
    )


def call_parts(value: Loose, path: str) -> tuple[str, Mapping[str, Loose]]:
    """Return the name and the arguments of a tool call {"tool_name", "arguments"}.

    Raises:
        InvalidField: it is something else.
    """
    name = value.get("tool_name") if isinstance(value, dict) else None
    arguments = value.get("arguments") if isinstance(value, dict) else None
    if not isinstance(name, str) or not name or not isinstance(arguments if arguments is not None else {}, dict):
        raise InvalidField(path, "a tool call with tool_name and arguments is needed")
    return name, arguments if isinstance(arguments, dict) else {}


def _list(value: Loose) -> list[Loose]:
    return value if isinstance(value, list) else []
