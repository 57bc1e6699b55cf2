"""The codec behind the small interfaces of binding and replying, with its errors in the mesh's own terms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.codec.codec import Codec
from gateway.codec.document import parse
from gateway.codec.errors import DecodeError, EncodeError
from mesh.errors import Internal, InvalidField, MalformedRequest, Violation


class MessageDecoder:
    """Reads one message type from JSON."""

    def __init__(self, codec: Codec, message: Descriptor) -> None:
        self._decode = codec.value_decoder(message)
        self._parameters = codec.parameters(message)

    def parse(self, body: bytes) -> Any:
        """Return the JSON value of a body.

        Raises:
            MalformedRequest: it is not JSON; the message has the position.
        """
        try:
            return parse(body)
        except DecodeError as error:
            raise MalformedRequest(f"the body is not valid JSON: {error}") from error

    def parameters(self, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """Return the JSON object that the names and texts of a path and a query spell.

        Raises:
            InvalidField: a name is unknown or a text is not what the field takes; the path is the name.
        """
        try:
            return self._parameters(pairs)
        except DecodeError as error:
            raise InvalidField(error.path, f"expected {error.expected}, found {error.found}") from error

    def decode(self, value: Any) -> bytes:
        """Return the message in wire format.

        Raises:
            InvalidField: the value does not fit; the path is the caller's own spelling.
        """
        try:
            return self._decode(value)
        except DecodeError as error:
            raise InvalidField(error.path or "body", f"expected {error.expected}, found {error.found}") from error


class MessageEncoder:
    """Writes one message type as JSON."""

    def __init__(self, codec: Codec, message: Descriptor) -> None:
        self._codec = codec
        self._message = message
        self._encode = codec.encoder(message)
        self._value = codec.value_encoder(message)

    def encode(self, data: bytes) -> bytes:
        """Return the JSON text of a message in wire format.

        Raises:
            Internal: the bytes are not of the message's type.
        """
        try:
            return self._encode(data)
        except EncodeError as error:
            raise Internal() from error

    def value(self, data: bytes) -> Any:
        """Return the JSON value of a message in wire format, for orjson to write.

        Raises:
            Internal: the bytes are not of the message's type.
        """
        try:
            return self._value(data)
        except EncodeError as error:
            raise Internal() from error

    def name(self, field: FieldDescriptor) -> str:
        """Return the name of a field's member."""
        return self._codec.member(self._message, field.name)


class CallerPaths:
    """Renames fields in a service's complaints to what the caller wrote, where JSON spells a message differently."""

    def __init__(self, codec: Codec, message: Descriptor) -> None:
        self._codec = codec
        self._message = message

    def renamed(self, error: InvalidField) -> InvalidField:
        """Return the error with the paths of members in place of the paths of fields."""
        if not error.details.violations:
            return error
        path = self._codec.json_path
        violations = [Violation(path(self._message, each.path), each.description) for each in error.details.violations]
        renamed = InvalidField.of(violations)
        renamed.metadata = error.metadata
        return renamed
