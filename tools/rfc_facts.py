"""Turns an OpenAPI document into the facts that the conformance test compares: operations and the shapes of schemas.

Prose, tags and everything else that no client depends on is left out. The same function reads the RFC's document and
the gateway's own, so that both are compared in one form.

Usage: ``python -m tools.rfc_facts llama-stack-spec-2024-08-20.yaml > tests/conformance/rfc_2024_08_20.json``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

Facts: TypeAlias = dict[str, Any]

VERBS = ("get", "put", "post", "delete", "patch")
PROSE = frozenset({"description", "title", "discriminator", "example", "examples", "deprecated", "default"})


def facts_of(document: Mapping[str, Any]) -> Facts:
    """Return the operations of a document by "VERB /path" and its schemas by name, without prose."""
    operations = {
        f"{verb.upper()} {path}": _operation(item[verb])
        for path, item in document["paths"].items()
        for verb in VERBS
        if verb in item
    }
    schemas = {name: shape(schema) for name, schema in document["components"]["schemas"].items()}
    return {"operations": operations, "schemas": schemas}


def shape(schema: Any) -> Any:
    """Return a schema without prose; a choice between schemas is always called anyOf.

    The RFC writes oneOf where alternatives overlap, so that it can't be meant as exactly one. A oneOf that only tells
    which members are required chooses between names, not between schemas, and keeps its name.
    """
    if isinstance(schema, list):
        return [shape(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept: Facts = {}
    for key, value in schema.items():
        if key in PROSE or key.startswith("x-"):
            continue
        if key == "properties":
            kept[key] = {name: shape(member) for name, member in value.items()}
        elif key == "oneOf" and not all(part.keys() == {"required"} for part in value):
            kept["anyOf"] = shape(value)
        else:
            kept[key] = shape(value)
    return kept


def _operation(operation: Mapping[str, Any]) -> Facts:
    parameters = {
        f"{parameter['in']} {parameter['name']}": {
            "required": parameter.get("required", False),
            "schema": shape(parameter["schema"]),
        }
        for parameter in operation.get("parameters", ())
    }
    facts: Facts = {"parameters": parameters, "responses": {}}
    if "requestBody" in operation:
        body = operation["requestBody"]
        facts["body"] = {"required": body.get("required", False), "content": _content(body)}
    for status, response in operation["responses"].items():
        facts["responses"][status] = _content(response)
    if "x-same-as" in operation:
        facts["same_as"] = operation["x-same-as"]
    return facts


def _content(holder: Mapping[str, Any]) -> Facts:
    return {kind: shape(_payload(media["schema"])) for kind, media in holder.get("content", {}).items()}


def _payload(schema: Facts) -> Facts:
    """Return the schema of what is sent: of an event's data, where the schema is that of an event."""
    data = schema.get("properties", {}).get("data", {})
    for part in data.get("anyOf", [data]):
        if "contentSchema" in part:
            content: Facts = part["contentSchema"]
            return content
    return schema


def lines(facts: Facts) -> Iterator[str]:
    """Yield the facts as JSON, one operation or schema a line."""
    yield "{"
    for number, (part, entries) in enumerate(facts.items()):
        yield f" {json.dumps(part)}: {{"
        rows = [f"  {json.dumps(name)}: {json.dumps(entry, sort_keys=True)}" for name, entry in sorted(entries.items())]
        yield ",\n".join(rows)
        yield " }" + ("," if number < len(facts) - 1 else "")
    yield "}"


def main(arguments: list[str]) -> int:
    """Print the facts of the document at the only argument; return the exit code."""
    if len(arguments) != 1:
        print("usage: python -m tools.rfc_facts DOCUMENT.yaml", file=sys.stderr)
        return 2
    document = yaml.safe_load(Path(arguments[0]).read_text())
    print("\n".join(lines(facts_of(document))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
