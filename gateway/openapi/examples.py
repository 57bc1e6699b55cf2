"""Example values that fit a schema, so that every operation shows one request that can be sent and one answer.

The values are made, not found: what a member is called decides what stands there, and the schema decides its form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.openapi.schema import COMPONENTS, Schema, View

TEXTS: Mapping[str, str] = {
    "": "text",
    "agent_id": "agent-1",
    "artifact_id": "artifact-1",
    "bank_id": "bank-1",
    "bank_name": "Notes",
    "call_id": "call-1",
    "content": "Which is the highest lake that ships sail on?",
    "delta": "Lake",
    "description": "A short description.",
    "document_id": "document-1",
    "experiment_id": "experiment-1",
    "input": "Which is the highest lake that ships sail on?",
    "instructions": "Answer in one sentence.",
    "level": "info",
    "memory_bank_id": "bank-1",
    "memory_bank_name": "Notes",
    "message": "Step 10 of 100.",
    "mime_type": "text/plain",
    "model": "llama-3.1-8b-instruct",
    "name": "first",
    "param_type": "string",
    "prompt": "The highest lake that ships sail on is",
    "query": "highest lake",
    "role": "user",
    "run_id": "run-1",
    "session_id": "session-1",
    "session_name": "First session",
    "system_id": "agent-1",
    "text": "Which is the highest lake that ships sail on?",
    "tool_name": "lake_depth",
    "turn_id": "turn-1",
    "url": "https://example.com/lakes.txt",
    "uri": "https://example.com/lakes.txt",
}
# tried in turn where a pattern says what a text looks like: identifiers, spans of time, trace and span ids
PATTERNED = ("text", "text-1", "1.5s", "1", "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "a" * 40, "a" * 64)
FORMATS: Mapping[str, str] = {"date-time": "2024-08-20T12:00:00Z"}
DEPTH = 7


class Examples:
    """Makes examples for the schemas of one document.

    Args:
        components: the schemas that others refer to, by name.
    """

    def __init__(self, components: Mapping[str, Schema]) -> None:
        self._components = components

    def of(self, schema: Schema, view: View, name: str = "") -> Any:
        """Return a value that fits a schema.

        Args:
            view: a request shows what has to be there, a response everything that may be there.
            name: the name of the member that the value is for.
        """
        return self._value(schema, view, name, DEPTH)

    def _value(self, schema: Schema, view: View, name: str, depth: int) -> Any:
        schema = self._resolved(schema)
        for keyword in ("const", "example"):
            if keyword in schema:
                return schema[keyword]
        if "enum" in schema:
            return schema["enum"][0]
        if "anyOf" in schema:
            return self._value(self._chosen(schema["anyOf"]), view, name, depth)
        kind = schema.get("type", "string")
        match kind[0] if isinstance(kind, list) else kind:
            case "object":
                return self._object(schema, view, depth)
            case "array":
                return self._array(schema, view, name, depth)
            case "string":
                return _text(schema, name)
            case "boolean":
                return True
            case "null":
                return None
            case number:
                return _number(schema, whole=number == "integer")

    def _object(self, schema: Schema, view: View, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        wanted = set(schema.get("required", ())) | set(_choices(schema))
        if view is View.RESPONSE and depth:
            wanted |= properties.keys()
        value = {
            name: self._value(member, view, name, max(depth - 1, 0))
            for name, member in properties.items()
            if name in wanted
        }
        values = schema.get("additionalProperties")
        if isinstance(values, dict) and depth and (values or view is View.RESPONSE):
            value["name"] = self._value(values, view, "", max(depth - 1, 0))
        return value

    def _array(self, schema: Schema, view: View, name: str, depth: int) -> list[Any]:
        if not depth and not schema.get("minItems"):
            return []
        item = self._value(schema.get("items", {}), view, name.removesuffix("s"), max(depth - 1, 0))
        return [item] * (1 if schema.get("uniqueItems") else max(1, schema.get("minItems", 1)))

    def _chosen(self, schemas: list[Schema]) -> Schema:
        """Return the alternative that reads best: text before anything else, null only where there is nothing else."""
        resolved = [self._resolved(schema) for schema in schemas]
        texts = [schema for schema in resolved if schema.get("type") == "string" and "enum" not in schema]
        others = [schema for schema in resolved if schema.get("type") != "null"]
        return [*texts, *others, *resolved][0]

    def _resolved(self, schema: Schema) -> Schema:
        """Return a schema with its reference, if it is one, replaced by what it refers to."""
        while "$ref" in schema:
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            schema = self._components[schema["$ref"].removeprefix(COMPONENTS)] | beside
        return schema


def _choices(schema: Schema) -> list[str]:
    """Return the first member of each group of which one has to be there."""
    parts = [schema, *schema.get("allOf", ())]
    return [name for part in parts if "oneOf" in part for name in part["oneOf"][0]["required"]]


def _text(schema: Schema, name: str) -> str:
    if schema.get("contentEncoding") == "base64":
        return "TGFrZSBUaXRpY2FjYQ=="
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    text = TEXTS.get(name) or _identifier(name)
    if "pattern" in schema:
        return next((each for each in (text, *PATTERNED) if re.search(schema["pattern"], each)), text)
    return text[: schema.get("maxLength")]


def _identifier(name: str) -> str:
    """Return "job-1" for job_uuid, and the like for other ids; a plain text for a name that is none."""
    stem, _, kind = name.rpartition("_")
    return f"{(stem or kind).replace('_', '-')}-1" if kind in ("id", "uuid") else TEXTS[""]


def _number(schema: Schema, *, whole: bool) -> float:
    """Return a number within bounds, a half or one if they are."""
    lowest = float(schema["minimum"] if "minimum" in schema else schema.get("exclusiveMinimum", 0.0))
    highest = float(schema["maximum"] if "maximum" in schema else schema.get("exclusiveMaximum", lowest + 2.0))
    for value in (1.0,) if whole else (0.5, 1.0):
        if lowest < value < highest:
            return int(value) if whole else value
    middle = (lowest + highest) / 2
    return round(middle) if whole else middle
