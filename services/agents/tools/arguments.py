"""Whether a call's arguments fit its tool: by the JSON Schema where there is one, else by the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from referencing.exceptions import Unresolvable

from llamastack.common.v1.tool_pb2 import ToolParamDefinition
from mesh.errors import InvalidField
from services.agents.tools.tool import Arguments, Description

_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "str": str,
    "string": str,
    "int": int,
    "integer": int,
    "float": (int, float),
    "number": (int, float),
    "bool": bool,
    "boolean": bool,
    "list": list,
    "array": list,
    "dict": dict,
    "object": dict,
}
_WORDS: Final = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "array": "list",
    "object": "dict",
}


def check(description: Description, arguments: Arguments) -> None:
    """Refuse arguments that do not fit.

    Raises:
        InvalidField: an argument is missing, unknown or of another type; names it.
    """
    if description.schema is not None:
        _by_schema(description.schema, arguments)
    else:
        _by_parameters(description.parameters, arguments)


def check_schema(schema: Mapping[str, Any], path: str) -> None:
    """Refuse what is not a JSON Schema.

    Raises:
        InvalidField: it is none.
    """
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        raise InvalidField(path, f"a JSON Schema is needed: {error.message[:200]}") from error


def parameters_of(schema: Mapping[str, Any]) -> dict[str, ToolParamDefinition]:
    """Return what a model is told of the arguments that a JSON Schema describes."""
    properties = schema.get("properties")
    required = schema.get("required")
    if not isinstance(properties, dict):
        return {}
    return {
        str(name): ToolParamDefinition(
            param_type=_type_of(each if isinstance(each, dict) else {}),
            description=str(each.get("description", "")) if isinstance(each, dict) else "",
            required=isinstance(required, list) and name in required,
        )
        for name, each in properties.items()
    }


def _type_of(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "object")
    if not isinstance(kind, str):
        return "str"
    items = schema.get("items")
    if kind == "array" and isinstance(items, dict) and isinstance(items.get("type"), str):
        return f"list[{_WORDS.get(items['type'], items['type'])}]"
    return _WORDS.get(kind, kind)


def _by_schema(schema: Mapping[str, Any], arguments: Arguments) -> None:
    try:
        worst = best_match(Draft202012Validator(dict(schema)).iter_errors(dict(arguments)))
    except Unresolvable as error:
        raise InvalidField("input_schema", "a schema without references to others is needed") from error
    if worst is not None:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in worst.absolute_path)
        raise InvalidField(f"arguments{where}", worst.message[:200])


def _by_parameters(parameters: Mapping[str, ToolParamDefinition], arguments: Arguments) -> None:
    for name, definition in parameters.items():
        if name not in arguments:
            if not definition.HasField("required") or definition.required:
                raise InvalidField(f"arguments.{name}", f"a value of type {definition.param_type} is needed")
            continue
        value = arguments[name]
        expected = _TYPES.get(definition.param_type.partition("[")[0].lower())
        if expected is None or (value is None and not definition.required):
            continue
        # a bool is an int for Python, and for nobody else
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            raise InvalidField(f"arguments.{name}", f"a value of type {definition.param_type} is needed")
    for name in arguments:
        if name not in parameters:
            raise InvalidField(f"arguments.{name}", "the tool has no such parameter")
