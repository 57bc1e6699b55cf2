"""JSON Schema keywords of protovalidate's rules.

Rules in the Common Expression Language have no JSON Schema form: they are told by the comments alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from buf.validate import validate_pb2
from gateway.openapi.schema import Schema

Rules = validate_pb2.FieldRules

NUMBERS = {"const": "const", "lt": "exclusiveMaximum", "lte": "maximum", "gt": "exclusiveMinimum", "gte": "minimum"}
# a bound in UTF-8 bytes is one in characters too, the other way round it is not
STRINGS = {
    "const": "const",
    "min_len": "minLength",
    "max_len": "maxLength",
    "max_bytes": "maxLength",
    "pattern": "pattern",
}
ITEMS = {"min_items": "minItems", "max_items": "maxItems", "unique": "uniqueItems"}
PAIRS = {"min_pairs": "minProperties", "max_pairs": "maxProperties"}


def rules_of(field: FieldDescriptor) -> Rules:
    """Return the rules that stand at a field; empty ones when there are none."""
    rules: Rules = field.GetOptions().Extensions[validate_pb2.field]
    return rules


def bounded(schema: Schema, rules: Rules) -> Schema:
    """Return the schema of one value with the keywords of its rules.

    A reference keeps its target's keywords and takes the new ones beside it. Rules for lists and maps bound the list or
    map itself, not its items.
    """
    kind = rules.WhichOneof("type")
    if kind is None:
        return schema
    given = {field.name: value for field, value in getattr(rules, kind).ListFields()}
    return schema | KEYWORDS.get(kind, _number)(given)


def refuses_absence(rules: Rules, presence: bool) -> bool:
    """Tell whether a field may not be left out by its rules; without presence they hold for its zero value too."""
    kind = rules.WhichOneof("type")
    if rules.required or presence or kind is None:
        return bool(rules.required)
    given = {field.name: value for field, value in getattr(rules, kind).ListFields()}
    if kind in ("string", "bytes", "repeated", "map"):
        least = given.get("min_len", given.get("min_items", given.get("min_pairs", 0)))
        return bool(least or "in" in given or not re.search(given.get("pattern", ""), ""))
    if kind == "enum":
        return 0 in rules.enum.not_in
    return given.get("gt", -1) >= 0 or given.get("gte", 0) > 0 or bool(given.get("const", False))


def excluded(rules: Rules) -> frozenset[int]:
    """Return the numbers of the enum values that are not allowed."""
    return frozenset(rules.enum.not_in)


def _renamed(given: Mapping[str, Any], names: Mapping[str, str]) -> Schema:
    """Return the rules that have a keyword, under it."""
    return {names[name]: value for name, value in given.items() if name in names}


def _number(given: Mapping[str, Any]) -> Schema:
    return _renamed(given, NUMBERS)


def _string(given: Mapping[str, Any]) -> Schema:
    keywords = _renamed(given, STRINGS)
    return keywords | {"enum": list(given["in"])} if "in" in given else keywords


def _bytes(given: Mapping[str, Any]) -> Schema:
    # three bytes are four characters of base64, with padding
    return {STRINGS[name]: -(-given[name] // 3) * 4 for name in ("min_len", "max_len") if name in given}


def _repeated(given: Mapping[str, Any]) -> Schema:
    return _renamed(given, ITEMS)


def _map(given: Mapping[str, Any]) -> Schema:
    keywords = _renamed(given, PAIRS)
    names = bounded({}, given["keys"]) if "keys" in given else {}
    return keywords | {"propertyNames": names} if names else keywords


def _enum(given: Mapping[str, Any]) -> Schema:
    return {}


KEYWORDS: Mapping[str, Callable[[Mapping[str, Any]], Schema]] = {
    "string": _string,
    "bytes": _bytes,
    "repeated": _repeated,
    "map": _map,
    "enum": _enum,
}
