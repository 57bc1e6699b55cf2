"""The tools of a request: which of them the model is told about, which it may call, and whether it has to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from llamastack.common.v1.tool_pb2 import ToolDefinition, ToolName, ToolParamDefinition
from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from llamastack.openai.v1 import chat_tool_pb2 as pb
from llamastack.openai.v1.chat_pb2 import ChatCompletionRequest
from mesh.errors import InvalidField


@dataclass(frozen=True, slots=True)
class Offer:
    """What a request lets the model do.

    ``told`` are the functions that the prompt describes, ``callable`` those of them that may be called. With ``forced``
    at least one has to be called, with ``single`` at most one.
    """

    told: tuple[pb.FunctionDefinition, ...] = ()
    callable: tuple[pb.FunctionDefinition, ...] = ()
    forced: bool = False
    single: bool = False
    schemas: Mapping[str, JsonObject] = field(default_factory=dict)

    def definitions(self) -> list[ToolDefinition]:
        """Return the functions as prompt formats know them."""
        return [_definition(function) for function in self.told]


def offer_of(request: ChatCompletionRequest) -> Offer:
    """Return what the request's tools, tool choice and parallel_tool_calls come to.

    Raises:
        InvalidField: two tools have one name, or the choice names a tool that is not there.
    """
    functions = _by_name(request.tools)
    single = request.HasField("parallel_tool_calls") and not request.parallel_tool_calls
    choice = request.tool_choice
    match choice.WhichOneof("choice"):
        case "named":
            name = choice.named.function.name
            chosen = _chosen(functions, name, "tool_choice.function.name")
            return _offer(functions.values(), [chosen], forced=True, single=True)
        case "allowed":
            allowed = choice.allowed.allowed_tools
            some = [
                _chosen(functions, tool.function.name, f"tool_choice.allowed_tools.tools[{index}].function.name")
                for index, tool in enumerate(allowed.tools)
            ]
            return _offer(some, some, forced=allowed.mode == pb.TOOL_CHOICE_MODE_REQUIRED, single=single)
        case _ if choice.mode == pb.TOOL_CHOICE_MODE_NONE:
            return Offer()
        case _:
            forced = choice.mode == pb.TOOL_CHOICE_MODE_REQUIRED
            return _offer(functions.values(), functions.values(), forced=forced, single=single)


def parameters_of(function: pb.FunctionDefinition) -> JsonObject:
    """Return the JSON Schema of a function's arguments, which are always an object."""
    schema = JsonObject()
    schema.CopyFrom(function.parameters)
    if not schema.fields.keys() & {"type", "$ref", "anyOf", "oneOf", "allOf"}:
        schema.fields["type"].string_value = "object"
    if not schema.fields.keys() & {"properties", "$ref", "anyOf", "oneOf", "allOf", "additionalProperties"}:
        schema.fields["properties"].object_value.SetInParent()
        schema.fields["additionalProperties"].bool_value = False
    return schema


def _offer(
    told: Iterable[pb.FunctionDefinition], may: Iterable[pb.FunctionDefinition], *, forced: bool, single: bool
) -> Offer:
    functions = tuple(told)
    schemas = {function.name: parameters_of(function) for function in functions}
    return Offer(functions, tuple(may), forced, single, schemas)


def _by_name(tools: Sequence[pb.ChatTool]) -> dict[str, pb.FunctionDefinition]:
    functions: dict[str, pb.FunctionDefinition] = {}
    for index, tool in enumerate(tools):
        if tool.function.name in functions:
            raise InvalidField(f"tools[{index}].function.name", "must differ from the names of the other tools")
        functions[tool.function.name] = tool.function
    return functions


def _chosen(functions: Mapping[str, pb.FunctionDefinition], name: str, path: str) -> pb.FunctionDefinition:
    if name not in functions:
        raise InvalidField(path, "must be the name of one of the tools")
    return functions[name]


def _definition(function: pb.FunctionDefinition) -> ToolDefinition:
    properties = function.parameters.fields["properties"].object_value.fields if _has_properties(function) else {}
    required = {
        name.string_value for name in function.parameters.fields.get("required", JsonValue()).array_value.values
    }
    return ToolDefinition(
        tool_name=ToolName(custom=function.name),
        description=function.description if function.HasField("description") else None,
        parameters={name: _parameter(properties[name], required=name in required) for name in properties},
    )


def _has_properties(function: pb.FunctionDefinition) -> bool:
    return "properties" in function.parameters.fields


def _parameter(schema: JsonValue, *, required: bool) -> ToolParamDefinition:
    """Return a parameter; its type is empty where the schema gives none or several."""
    members = schema.object_value.fields
    description = members.get("description", JsonValue()).string_value
    return ToolParamDefinition(
        param_type=members.get("type", JsonValue()).string_value, description=description or None, required=required
    )
