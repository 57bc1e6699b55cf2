"""JSON Schemas put together into one: what an answer may be, and what a call of a tool may be.

A schema that refers to parts of itself is moved under ``$defs`` and its references with it. Protobuf maps have no
order, but ``required`` has: properties are written in its order, because that is the order in which they are generated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from mesh.json_text import write, write_string

_CALL = "call"


class SchemaText:
    """A schema in the making, with the definitions that its parts need."""

    def __init__(self) -> None:
        """Start without definitions."""
        self._definitions: dict[str, str] = {}

    def part(self, schema: JsonObject) -> str:
        """Return a text that stands for the schema anywhere in this one."""
        value = JsonValue(object_value=schema)
        if not _has_references(value):
            return "".join(_written(value, ""))
        slot = f"s{len(self._definitions)}"
        self._definitions[slot] = ""
        self._definitions[slot] = "".join(_written(value, f"#/$defs/{slot}"))
        return f'{{"$ref": "#/$defs/{slot}"}}'

    def calls(self, functions: Sequence[tuple[str, JsonObject]], *, single: bool) -> list[str]:
        """Return the alternatives of calling: one call as an object, and unless ``single`` several in an array."""
        forms = [self._call(name, parameters) for name, parameters in functions]
        self._definitions[_CALL] = _any_of(forms)
        reference = f'{{"$ref": "#/$defs/{_CALL}"}}'
        several = f'{{"type": "array", "items": {reference}, "minItems": 1}}'
        return [reference] if single else [reference, several]

    def whole(self, alternatives: Sequence[str]) -> str:
        """Return the schema of a document that is one of the alternatives."""
        definitions = ", ".join(f"{write_string(name)}: {text}" for name, text in self._definitions.items())
        return f'{{"anyOf": [{", ".join(alternatives)}], "$defs": {{{definitions}}}}}'

    def _call(self, name: str, parameters: JsonObject) -> str:
        """Return the schema of a call as Llama 3 writes it in JSON; ``call_reader`` relies on this order."""
        return (
            '{"type": "object", "properties": {"type": {"const": "function"}, '
            f'"name": {{"const": {write_string(name)}}}, "parameters": {self.part(parameters)}}}, '
            '"required": ["type", "name", "parameters"], "additionalProperties": false}'
        )


def schema_text(schema: JsonObject) -> str:
    """Return a schema as text, its properties in the order of ``required``."""
    return "".join(_written(JsonValue(object_value=schema), ""))


def _any_of(alternatives: Sequence[str]) -> str:
    return alternatives[0] if len(alternatives) == 1 else f'{{"anyOf": [{", ".join(alternatives)}]}}'


def _has_references(value: JsonValue) -> bool:
    if value.HasField("object_value"):
        fields = value.object_value.fields
        return "$ref" in fields or any(map(_has_references, fields.values()))
    return any(map(_has_references, value.array_value.values))


def _written(value: JsonValue, root: str) -> Iterator[str]:
    """Yield the text of a schema whose root stands at the pointer ``root``."""
    match value.WhichOneof("kind"):
        case "object_value":
            fields = value.object_value.fields
            order = (
                [name.string_value for name in fields["required"].array_value.values] if "required" in fields else []
            )
            for position, name in enumerate(sorted(fields)):
                yield f"{', ' if position else '{'}{write_string(name)}: "
                yield from _member(name, fields[name], root, order)
            yield "}" if fields else "{}"
        case "array_value":
            for position, item in enumerate(value.array_value.values):
                yield ", " if position else "["
                yield from _written(item, root)
            yield "]" if value.array_value.values else "[]"
        case _:
            yield write(value)


def _member(name: str, value: JsonValue, root: str, order: Sequence[str]) -> Iterator[str]:
    if name == "$ref" and value.string_value.startswith("#"):
        yield write_string(root + value.string_value.removeprefix("#") if root else value.string_value)
    elif name == "properties" and value.HasField("object_value"):
        fields = value.object_value.fields
        names = [known for known in dict.fromkeys(order) if known in fields]
        names += sorted(fields.keys() - set(names))
        yield "{"
        for position, member in enumerate(names):
            yield f"{', ' if position else ''}{write_string(member)}: "
            yield from _written(fields[member], root)
        yield "}"
    else:
        yield from _written(value, root)
