"""JSON Schema 2020-12 as plain dictionaries, and the two views of a message.

Knows nothing about protobuf.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

COMPONENTS = "#/components/schemas/"


class View(Enum):
    """Which way a message travels: what is read is more than what is written."""

    REQUEST = "request"
    RESPONSE = "response"


def reference(name: str) -> Schema:
    """Return a reference to the component of that name."""
    return {"$ref": COMPONENTS + name}


def any_of(schemas: Iterable[Schema]) -> Schema:
    """Return a schema that takes what any of the given ones takes; unions within are made flat, repetitions dropped."""
    flat: list[Schema] = []
    for schema in schemas:
        parts = schema["anyOf"] if schema.keys() == {"anyOf"} else [schema]
        flat += [part for part in parts if part not in flat]
    return flat[0] if len(flat) == 1 else {"anyOf": flat}


def nullable(schema: Schema) -> Schema:
    """Return a schema that takes null as well."""
    if not schema.keys() - {"description"}:
        return schema
    if isinstance(schema.get("type"), str) and not schema.keys() & {"enum", "const"}:
        return schema | {"type": [schema["type"], "null"]}
    note = {key: schema[key] for key in ("description", "default") if key in schema}
    return any_of([{key: value for key, value in schema.items() if key not in note}, {"type": "null"}]) | note


def described(schema: Schema, text: str) -> Schema:
    """Return the schema with a description; the schema itself when the text is empty."""
    return schema | {"description": text} if text else schema


def references(schema: Any) -> Iterator[str]:
    """Yield the names of the components that a schema refers to, in order, with repetitions."""
    if isinstance(schema, dict):
        target = schema.get("$ref")
        if isinstance(target, str) and target.startswith(COMPONENTS):
            yield target.removeprefix(COMPONENTS)
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def renamed(schema: Any, names: dict[str, str]) -> Any:
    """Return a copy in which every component, discriminators included, has its new name."""
    if isinstance(schema, dict):
        return {key: renamed(value, names) for key, value in schema.items()}
    if isinstance(schema, list):
        return [renamed(value, names) for value in schema]
    if isinstance(schema, str) and schema.startswith(COMPONENTS):
        return COMPONENTS + names[schema.removeprefix(COMPONENTS)]
    return schema
