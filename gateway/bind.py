"""Makes an RPC's request out of a path, a query and a body, as one google.api.http binding says.

Everything is brought together as one JSON object, which the codec then reads: so required members, aliases and ranges
are judged once, wherever a value came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

from google.protobuf.descriptor import FieldDescriptor

from gateway.contract import HttpRule, Rpc
from mesh.errors import InvalidField, MalformedRequest

WHOLE = "*"
STREAM = "stream"

Value = dict[str, Any]
# a request in wire format, and whether its ``stream`` member asked for a stream; None where it was silent
Bound = tuple[bytes, bool | None]

_MAX_PARAMETERS = 1000


class Decoder(Protocol):
    """Reads the JSON form of one message type."""

    def parse(self, body: bytes) -> Any:
        """Return the JSON value of a body; MalformedRequest with the position if it is not JSON."""

    def parameters(self, pairs: Iterable[tuple[str, str]]) -> Value:
        """Return the JSON object that names and texts spell; InvalidField with the name if one does not fit."""

    def decode(self, value: Any) -> bytes:
        """Return the message in wire format; InvalidField with the path if the value does not fit."""


class Binder:
    """Binds requests of one RPC by one of its HTTP rules."""

    def __init__(self, rpc: Rpc, rule: HttpRule, decoder: Decoder, *, takes_stream: bool) -> None:
        self._decoder = decoder
        self._whole = rule.body == WHOLE
        self._field = rpc.input.fields_by_name[rule.body] if rule.body not in ("", WHOLE) else None
        self._takes_array = self._field is not None and _is_list(self._field)
        self._takes_stream = takes_stream
        self._resume_field = rpc.json.last_event_id_field

    def bind(self, body: bytes, query: bytes, variables: Mapping[str, str], last_event_id: str | None = None) -> Bound:
        """Return the request and its wish for a stream.

        Raises:
            InvalidField: a member or parameter is unknown, missing, of the wrong kind or contradicted by another.
            MalformedRequest: the body is not JSON, or there is one where none is taken.
        """
        value = self._body(self._decoder.parse(body) if body and not body.isspace() else None)
        stream = self._take_stream(value) if self._takes_stream else None
        if query or variables:
            pairs = [*_pairs(query), *variables.items()]
            for name, given in self._decoder.parameters(pairs).items():
                _add(value, name, given, name)
        if last_event_id is not None and self._resume_field:
            _put_event_id(value, self._resume_field, last_event_id)
        return self._decoder.decode(value), stream

    def _body(self, value: Any) -> Value:
        """Return the whole request as far as the body spells it, as an object of its own."""
        if value is None:
            return {}
        if self._whole:
            if not isinstance(value, dict):
                raise InvalidField("body", "expected an object")
            return value
        if self._field is None:
            if value == {}:
                return {}
            raise MalformedRequest("this path takes no body")
        if self._takes_array:
            if isinstance(value, dict):
                return value
            if not isinstance(value, list):
                raise InvalidField("body", f"expected an array, the request's {self._field.name}")
        return {self._field.name: value}

    @staticmethod
    def _take_stream(value: Value) -> bool | None:
        stream = value.pop(STREAM, None)
        if stream is None or stream is True or stream is False:
            return stream
        raise InvalidField(STREAM, "expected true or false")


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        problem = "it is not percent-encoded UTF-8 or has too many parameters"
        raise MalformedRequest(f"the query can't be read: {problem}") from error


def _add(value: Value, name: str, given: Any, path: str) -> None:
    known = value.get(name)
    if known is None:
        value[name] = given
    elif isinstance(known, dict) and isinstance(given, dict):
        for inner, item in given.items():
            _add(known, inner, item, f"{path}.{inner}")
    elif known != given and str(known) != given:
        raise InvalidField(path, "the body and the path or query give unlike values")


def _put_event_id(value: Value, field: str, text: str) -> None:
    """Set the field that says where a stream goes on, unless the request itself says so."""
    if not text.isascii() or not text.isdigit():
        raise InvalidField("Last-Event-ID", "expected the id of an event of this stream, an integer")
    if value.get(field) is None:
        value[field] = int(text)


def _is_list(field: FieldDescriptor) -> bool:
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    return bool(field.is_repeated) and not is_map
