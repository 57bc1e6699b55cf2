"""Tells a model about custom tools, in each of the three formats, and how a call of one is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from llamastack.common.v1.tool_pb2 import ToolDefinition, ToolParamDefinition, ToolPromptFormat
from mesh.json_text import write_string
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


def is_required(parameter: ToolParamDefinition) -> bool:
    """Tell whether a call has to give the parameter; so by default."""
    return parameter.required if parameter.HasField("required") else True


def _parameter(name: str, parameter: ToolParamDefinition) -> str:
    members = [f'"type": {write_string(parameter.param_type)}']
    if parameter.HasField("description"):
        members.append(f'"description": {write_string(parameter.description)}')
    return f"{write_string(name)}: {{{', '.join(members)}}}"


def _definition(tool: ToolDefinition) -> str:
    """Return a tool on one line, as JSON; parameters sorted by name, because the map that holds them has no order."""
    members = [f'"name": {write_string(text_of(tool.tool_name))}']
    if tool.HasField("description"):
        members.append(f'"description": {write_string(tool.description)}')
    names = sorted(tool.parameters)
    properties = ", ".join(_parameter(name, tool.parameters[name]) for name in names)
    required = ", ".join(write_string(name) for name in names if is_required(tool.parameters[name]))
    members.append(f'"parameters": {{"type": "object", "properties": {{{properties}}}, "required": [{required}]}}')
    return f'{{"type": "function", "function": {{{", ".join(members)}}}}}'


def write_definitions(tools: Sequence[ToolDefinition], tool_prompt_format: ToolPromptFormat.ValueType) -> str:
    """Return the text that defines the tools, which must not be empty, and asks for calls in the format."""
    if tool_prompt_format == ToolPromptFormat.TOOL_PROMPT_FORMAT_PYTHON_LIST:
        template = _PYTHON_LIST
    elif tool_prompt_format == ToolPromptFormat.TOOL_PROMPT_FORMAT_FUNCTION_TAG:
        template = _FUNCTION_TAG
    else:
        template = _JSON
    return template.format(definitions="\n".join(map(_definition, tools)))
