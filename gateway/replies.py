"""Turns the wire bytes of a unary response into a body: a document, JSON lines or an array, whole or of one field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from google.protobuf.descriptor import FieldDescriptor

from gateway.accept import Layout, lists_layout
from gateway.contract import HttpRule, Rpc
from gateway.errors import Headers
from llamastack.json.v1 import json_pb2

TOKEN_FIELD = "next_page_token"
TOKEN_HEADER = b"x-next-page-token"


class Encoder(Protocol):
    """Writes the JSON form of one message type, out of wire bytes."""

    def encode(self, data: bytes) -> bytes:
        """Return the JSON text."""

    def value(self, data: bytes) -> Any:
        """Return the JSON value, for orjson to write."""

    def name(self, field: FieldDescriptor) -> str:
        """Return the name of a field's member."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The body of a response, its layout and the headers that belong to it."""

    body: bytes
    layout: Layout
    headers: Headers


class Replier:
    """Makes the bodies of one RPC's responses by one of its HTTP rules.

    Attributes:
        line: returns the whole response as JSON in one line.
        document: returns the whole response as one JSON document; it is the line unless documents are ``indented``.
        plain: whether a document of the whole response is all that callers get.
    """

    def __init__(self, rpc: Rpc, rule: HttpRule, encoder: Encoder, *, indented: bool) -> None:
        self._encoder = encoder
        self._option = orjson.OPT_INDENT_2 if indented else None
        self.line: Callable[[bytes], bytes] = encoder.encode
        self.document: Callable[[bytes], bytes] = self._indented if indented else encoder.encode
        # under its own name an RPC gives its whole response, as one document
        own_name = rule.template == rpc.path
        self._lines = rpc.json.format == json_pb2.MethodJson.FORMAT_JSON_LINES and (rpc.streams or not own_name)
        self._field = rpc.output.fields_by_name[rule.response_body] if rule.response_body else None
        self._token = rpc.output.fields_by_name.get(TOKEN_FIELD)
        self.plain = self._field is None and not self._lines

    def values(self, data: bytes) -> list[bytes]:
        """Return what one message of a stream amounts to: the field that stands for it, or its items for lines."""
        value = self._encoder.value(data)
        if self._field is not None:
            value = value.get(self._encoder.name(self._field))
        return [orjson.dumps(item) for item in (self._items(value) if self._lines else [value])]

    def reply(self, data: bytes, accept: bytes) -> Reply:
        """Return the body as the contract and the Accept header want it."""
        value = self._encoder.value(data)
        headers = self._token_header(value)
        if self._field is not None:
            value = value.get(self._encoder.name(self._field))
        layout = lists_layout(accept) if self._lines else Layout.DOCUMENT
        if layout is Layout.DOCUMENT:
            return Reply(orjson.dumps(value, option=self._option), layout, headers)
        items = self._items(value)
        if layout is Layout.ARRAY:
            return Reply(orjson.dumps(items, option=self._option), Layout.DOCUMENT, headers)
        return Reply(
            b"".join([orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in items]), layout, headers
        )

    def _indented(self, data: bytes) -> bytes:
        return orjson.dumps(self._encoder.value(data), option=self._option)

    def _items(self, value: Any) -> list[Any]:
        if self._field is None or not self._field.is_repeated:
            return [value]
        return list(value or ())

    def _token_header(self, value: Any) -> Headers:
        """Return the next page's token as a header, where the body has no room for it."""
        if self._field is None or self._token is None:
            return []
        token: str = value.get(self._encoder.name(self._token)) or ""
        return [(TOKEN_HEADER, token.encode())] if token.isascii() and token.isprintable() and token else []
