"""JSON Schemas of tools: of a parameter, of the arguments of a call, and of a call as models write it in JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from llamastack.common.v1.tool_pb2 import ToolDefinition
from llamastack.inference.v1 import inference_pb2 as pb
from mesh.errors import InvalidField
from services.inference.prompt.tool_definitions import is_required
from services.inference.prompt.tool_names import CODE_INTERPRETER, is_builtin, text_of

_TYPES: Final = {
    **dict.fromkeys(("str", "string", "text"), "string"),
    **dict.fromkeys(("int", "integer", "long"), "integer"),
    **dict.fromkeys(("float", "double", "number"), "number"),
    **dict.fromkeys(("bool", "boolean"), "boolean"),
    **dict.fromkeys(("list", "array", "tuple", "set"), "array"),
    **dict.fromkeys(("dict", "object", "map"), "object"),
}
_GENERIC: Final = re.compile(r"\s*(list|array|set)\s*\[(.*)\]\s*", re.IGNORECASE)


def demands_call(request: pb.ChatCompletionRequest) -> bool:
    """Tell whether the answer has to be a call.

    Raises:
        InvalidField: it has to be, and there is nothing to call or something else is demanded as well.
    """
    if request.tool_choice != pb.TOOL_CHOICE_REQUIRED:
        return False
    if not request.available_tools:
        raise InvalidField("tool_choice", "required together with available_tools alone")
    if request.HasField("guidance"):
        raise InvalidField("tool_choice", "not required together with guidance")
    return True


def call_schema(tools: Iterable[ToolDefinition]) -> dict[str, Any]:
    """Return the schema of a call of one of the tools."""
    return {"anyOf": [_call(tool) for tool in tools]}


def arguments_schema(tool: ToolDefinition) -> dict[str, Any]:
    """Return the schema of the arguments of a tool; a builtin tool without parameters has its own one."""
    if is_builtin(tool.tool_name) and not tool.parameters:
        parameter = "code" if text_of(tool.tool_name) == CODE_INTERPRETER else "query"
        return {"type": "object", "properties": {parameter: {"type": "string"}}, "required": [parameter]}
    names = sorted(tool.parameters)
    properties = {
        name: parameter_schema(tool.parameters[name].param_type, tool.parameters[name].description) for name in names
    }
    required = [name for name in names if is_required(tool.parameters[name])]
    return {"type": "object", "properties": properties, "required": required}


def parameter_schema(param_type: str, description: str = "") -> dict[str, Any]:
    """Return the JSON Schema of a parameter whose type is written as in ``int`` or ``list[str]``.

    A type that has no counterpart goes into the description, and any value is allowed.
    """
    made: dict[str, Any] = {}
    known = _TYPES.get(param_type.strip().lower())
    if known is not None:
        made["type"] = known
    elif generic := _GENERIC.fullmatch(param_type):
        made |= {"type": "array", "items": parameter_schema(generic[2])}
    elif param_type:
        description = f"{description} ({param_type})".strip()
    if description:
        made["description"] = description
    return made


def _call(tool: ToolDefinition) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "type": {"const": "function"},
            "name": {"const": text_of(tool.tool_name)},
            "parameters": arguments_schema(tool) | {"additionalProperties": False},
        },
        "required": ["type", "name", "parameters"],
        "additionalProperties": False,
    }
