"""Writes tool calls as a Llama 3 model writes them, so that a history reads like the model's own words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from llamastack.common.v1.tool_pb2 import ToolCall, ToolPromptFormat
from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from mesh.json_text import write, write_string
from services.inference.prompt.python_calls import NAME
from services.inference.prompt.tool_names import CODE_INTERPRETER, is_builtin, text_of

_PARAMETER: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PYTHON_NAME: Final = re.compile(NAME)
_TAG_NAME: Final = re.compile(r"[^<>{}\s]+")
_SEPARATOR: Final = "; "


def _arguments(call: ToolCall) -> str:
    return write(JsonValue(object_value=JsonObject(fields=call.arguments)))


def _json(call: ToolCall) -> str:
    name = write_string(text_of(call.tool_name))
    return f'{{"type": "function", "name": {name}, "parameters": {_arguments(call)}}}'


def _function_tag(call: ToolCall) -> str:
    return f"<function={text_of(call.tool_name)}>{_arguments(call)}</function>"


def _python(call: ToolCall) -> str:
    """Return a Python call; arguments whose names are no identifiers go into a mapping."""
    named, others = [], []
    for name in sorted(call.arguments):
        value = write(call.arguments[name], python=True)
        if _PARAMETER.fullmatch(name):
            named.append(f"{name}={value}")
        else:
            others.append(f"{write_string(name)}: {value}")
    if others:
        named.append(f"**{{{', '.join(others)}}}")
    return f"{text_of(call.tool_name)}({', '.join(named)})"


def _sole_text(call: ToolCall, name: str) -> str | None:
    """Return the argument of that name, if it is a string and the only one."""
    if list(call.arguments) != [name] or call.arguments[name].WhichOneof("kind") != "string_value":
        return None
    return call.arguments[name].string_value


def _native(call: ToolCall) -> str | None:
    """Return a call of a builtin tool with a query in the builtin form, None for any other call."""
    name = text_of(call.tool_name)
    if not is_builtin(call.tool_name) or name == CODE_INTERPRETER:
        return None
    query = _sole_text(call, "query")
    return None if query is None else f"{name}.call(query={write_string(query)})"


def _custom(calls: Sequence[ToolCall], tool_prompt_format: ToolPromptFormat.ValueType) -> str:
    """Return calls in the format of the custom tools; in JSON if a name can't be written in that format."""
    names = [text_of(call.tool_name) for call in calls]
    python_list = tool_prompt_format == ToolPromptFormat.TOOL_PROMPT_FORMAT_PYTHON_LIST
    if python_list and all(map(_PYTHON_NAME.fullmatch, names)):
        return f"[{', '.join(map(_python, calls))}]"
    function_tag = tool_prompt_format == ToolPromptFormat.TOOL_PROMPT_FORMAT_FUNCTION_TAG
    if function_tag and all(map(_TAG_NAME.fullmatch, names)):
        return "\n".join(map(_function_tag, calls))
    return _SEPARATOR.join(map(_json, calls))


def write_calls(calls: Sequence[ToolCall], tool_prompt_format: ToolPromptFormat.ValueType) -> str:
    """Return the calls of one message, without the python tag; what it reads back as is the same calls.

    Code stands alone as it is. Builtin tools have their own form when all calls are of that form; in a mixture every
    call is in the format of the custom tools, the only one that can hold them all.
    """
    if len(calls) == 1 and text_of(calls[0].tool_name) == CODE_INTERPRETER:
        code = _sole_text(calls[0], "code")
        if code is not None:
            return code
    native = [text for text in map(_native, calls) if text is not None]
    return _SEPARATOR.join(native) if len(native) == len(calls) else _custom(calls, tool_prompt_format)
