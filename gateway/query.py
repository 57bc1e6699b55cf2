"""Turns the text of queries and path variables into JSON values, by the type of the field that each one names.

Only the kind of value is settled here (``?page_size=10`` is the number 10); whether a value is in range, an enum has
that member or two aliases agree is the codec's to say, as for a body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from llamastack.json.v1 import json_pb2
from mesh.errors import InvalidField, MalformedRequest

_INTEGER = re.compile(r"[+-]?\d{1,40}")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
_SPECIAL = frozenset({"NaN", "Infinity", "-Infinity"})
_BOOLEANS = {"true": True, "false": False}
_INTEGERS = frozenset(
    {
        FieldDescriptor.CPPTYPE_INT32,
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT32,
        FieldDescriptor.CPPTYPE_UINT64,
    }
)
_FLOATS = frozenset({FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE})
_TEXTUAL = frozenset(
    {
        "google.protobuf.Timestamp",
        "google.protobuf.Duration",
        "google.protobuf.FieldMask",
    }
)
_MAX_PARAMETERS = 1000
_MAX_DEPTH = 16

Value = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a parameter goes: the members that lead there, whether it may repeat, and the field of its type.

    ``fixed`` is false where a map's key, which is the caller's choice, is part of the path.
    """

    path: tuple[str, ...]
    many: bool
    leaf: FieldDescriptor
    fixed: bool = True


class Parameters:
    """The query and path parameters of one request message."""

    def __init__(self, message: Descriptor, *, ignore_unknown: bool) -> None:
        """Compile nothing yet: a name is resolved when it is first seen, and remembered if the message has it."""
        self._message = message
        self._ignore_unknown = ignore_unknown
        self._places: dict[str, _Place] = {}

    def read(self, query: bytes, variables: Mapping[str, str]) -> Value:
        """Return the JSON object that a query string and path variables spell.

        Raises:
            InvalidField: a name is unknown, a value is of another kind, or a single value is given more than once.
            MalformedRequest: the query is not valid text or has too many parameters.
        """
        value: Value = {}
        for name, text in _pairs(query):
            self._put(value, name, text, may_repeat=True)
        for name, text in variables.items():
            self._put(value, name, text, may_repeat=False)
        return value

    def _put(self, value: Value, name: str, text: str, *, may_repeat: bool) -> None:
        place = self._places.get(name) or self._resolve(name)
        if place is None:
            return
        parsed = _parse(place.leaf, text, name)
        at = value
        for member in place.path[:-1]:
            at = at.setdefault(member, {})
            if not isinstance(at, dict):
                raise InvalidField(name, "contradicts another parameter of the query")
        last = place.path[-1]
        if place.many and may_repeat:
            at.setdefault(last, []).append(parsed)
        elif last not in at:
            at[last] = [parsed] if place.many else parsed
        elif at[last] != parsed:
            raise InvalidField(name, "given more than once with unlike values")

    def _resolve(self, name: str) -> _Place | None:
        """Return where a name leads; None for one that is unknown and to be ignored."""
        names = name.split(".")
        place = _find(self._message, names, name) if len(names) <= _MAX_DEPTH else None
        if place is not None:
            if place.fixed:
                self._places[name] = place
            return place
        if self._ignore_unknown:
            return None
        raise InvalidField(name, "no such parameter")


def _pairs(query: bytes) -> Iterable[tuple[str, str]]:
    if not query:
        return ()
    try:
        return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise MalformedRequest(
            "the query can't be read: it is not percent-encoded UTF-8 or has too many parameters"
        ) from error


def _find(message: Descriptor, names: list[str], whole: str) -> _Place | None:
    """Follow names through messages and maps to a field that text can spell."""
    field = member(message, names[0])
    if field is None:
        return None
    many = field.is_repeated
    if many and field.message_type is not None and field.message_type.GetOptions().map_entry:
        leaf = _leaf(field.message_type.fields_by_name["value"])
        return _Place(tuple(names), False, leaf, fixed=False) if leaf is not None and len(names) == 2 else None
    leaf = _leaf(field)
    if len(names) == 1:
        if leaf is None:
            raise InvalidField(whole, "can't be given in the query; name its members, or use a body")
        return _Place((names[0],), many or leaf.is_repeated, leaf)
    if many or field.message_type is None:
        return None
    rest = _find(field.message_type, names[1:], whole)
    return rest and replace(rest, path=(names[0], *rest.path))


def member(message: Descriptor, name: str) -> FieldDescriptor | None:
    """Return the field that a JSON member stands for: its proto name, its camelCase name or an alias."""
    found = message.fields_by_name.get(name) or message.fields_by_camelcase_name.get(name)
    if found is not None:
        return found
    return next((field for field in message.fields if name in _options(field).aliases), None)


def _leaf(field: FieldDescriptor) -> FieldDescriptor | None:
    """Return the field whose type decides how text is read, through inline messages; None where text can't spell it."""
    inner = field.message_type
    while inner is not None and inner.full_name not in _TEXTUAL:
        if not inner.GetOptions().Extensions[json_pb2.message].inline:
            return None
        if inner.oneofs and len(inner.fields) > 1:
            return field
        field, inner = inner.fields[0], inner.fields[0].message_type
    return field


def _parse(leaf: FieldDescriptor, text: str, name: str) -> Any:
    kind = leaf.cpp_type
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        if text.lower() not in _BOOLEANS:
            raise InvalidField(name, "expected true or false")
        return _BOOLEANS[text.lower()]
    if kind in _INTEGERS:
        if not _INTEGER.fullmatch(text):
            raise InvalidField(name, "expected an integer")
        return int(text)
    if kind in _FLOATS:
        if text in _SPECIAL:
            return text
        if not _NUMBER.fullmatch(text):
            raise InvalidField(name, "expected a number")
        return float(text)
    if kind == FieldDescriptor.CPPTYPE_ENUM and _INTEGER.fullmatch(text):
        return int(text)
    return text


def _options(field: FieldDescriptor) -> json_pb2.FieldJson:
    return field.GetOptions().Extensions[json_pb2.field]
