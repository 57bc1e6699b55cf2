"""Tells a model about custom tools, in each of the three formats, and how a call of one is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from types import MappingProxyType
from typing import Final

from llamastack.common.v1.tool_pb2 import ToolDefinition, ToolParamDefinition, ToolPromptFormat
from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from mesh.json_text import write, write_string
from services.inference.prompt.tool_names import text_of

_JSON: Final = """\
Answer the user's question with the following functions where they help. If none of them does, say so.
The functions, one JSON object per line:

{definitions}

To call a function, reply with nothing but a JSON object of this form, without variables:
{{"type": "function", "name": "NAME", "parameters": {{"PARAMETER": VALUE}}}}
Put "; " between the objects of several calls."""

_FUNCTION_TAG: Final = """\
Answer the user's question with the following functions where they help. If none of them does, say so.
The functions, one JSON object per line:

{definitions}

To call a function, reply with nothing but this form, with the parameters as a JSON object and the end tag:
<function=NAME>{{"PARAMETER": VALUE}}</function>
Put several calls on lines of their own."""

_PYTHON_LIST: Final = """\
Answer the user's question with the following functions where they help. If none of them does, or a required parameter \
is missing, say so.
The functions, one JSON object per line:

{definitions}

To call functions, reply with nothing but a list of calls of this form:
[NAME1(PARAMETER1=VALUE1, PARAMETER2=VALUE2), NAME2()]"""


_NO_SCHEMAS: Final[Mapping[str, JsonObject]] = MappingProxyType({})
_WRITTEN: Final = frozenset({"additionalProperties", "properties", "required", "type"})
"""What a definition says of its parameters in any case, and what goes without saying."""


def is_required(parameter: ToolParamDefinition) -> bool:
    """Tell whether a call has to give the parameter; so by default."""
    return parameter.required if parameter.HasField("required") else True


def _parameter(name: str, parameter: ToolParamDefinition, schema: Mapping[str, JsonValue]) -> str:
    """Return a parameter; what its schema says beyond type and description follows these."""
    members = [f'"type": {write_string(parameter.param_type)}'] if parameter.param_type or not schema else []
    if parameter.HasField("description"):
        members.append(f'"description": {write_string(parameter.description)}')
    others = _others(schema, {"description", "type"} if parameter.param_type else {"description"})
    return f"{write_string(name)}: {{{', '.join(members + others)}}}"


def _others(schema: Mapping[str, JsonValue], written: Set[str]) -> list[str]:
    """Return the members of a schema that are not written yet; titles only repeat names."""
    names = sorted(schema.keys() - written - {"title"})
    return [f"{write_string(name)}: {write(schema[name])}" for name in names]


def _definition(tool: ToolDefinition, schemas: Mapping[str, JsonObject]) -> str:
    """Return a tool on one line, as JSON; parameters sorted by name, because the map that holds them has no order."""
    members = [f'"name": {write_string(text_of(tool.tool_name))}']
    if tool.HasField("description"):
        members.append(f'"description": {write_string(tool.description)}')
    schema = schemas.get(text_of(tool.tool_name), JsonObject()).fields
    known = schema["properties"].object_value.fields if "properties" in schema else {}
    properties = ", ".join(
        _parameter(name, tool.parameters[name], known[name].object_value.fields if name in known else {})
        for name in sorted(tool.parameters)
    )
    names = [name for name in sorted(tool.parameters) if is_required(tool.parameters[name])]
    parameters = [
        '"type": "object"',
        f'"properties": {{{properties}}}',
        f'"required": [{", ".join(map(write_string, names))}]',
        *_others(schema, _WRITTEN),
    ]
    members.append(f'"parameters": {{{", ".join(parameters)}}}')
    return f'{{"type": "function", "function": {{{", ".join(members)}}}}}'


def write_definitions(
    tools: Sequence[ToolDefinition],
    tool_prompt_format: ToolPromptFormat.ValueType,
    schemas: Mapping[str, JsonObject] = _NO_SCHEMAS,
) -> str:
    """Return the text that defines the tools, which must not be empty, and asks for calls in the format.

    ``schemas`` are those of the tools' parameters by the tools' names, as in a Conversation.
    """
    if tool_prompt_format == ToolPromptFormat.TOOL_PROMPT_FORMAT_PYTHON_LIST:
        template = _PYTHON_LIST
    elif tool_prompt_format == ToolPromptFormat.TOOL_PROMPT_FORMAT_FUNCTION_TAG:
        template = _FUNCTION_TAG
    else:
        template = _JSON
    return template.format(definitions="\n".join(_definition(tool, schemas) for tool in tools))
