"""The codec: JSON to protobuf wire bytes and back for every message type of a descriptor pool.

Compiled once per type, at the first call that asks for it. No protobuf message is ever built. Knows nothing about HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import DescriptorPool

from gateway.codec.decoder import Decoders
from gateway.codec.document import parse
from gateway.codec.encoder import Encoders
from gateway.codec.parameters import Parameters
from gateway.codec.path import json_path
from gateway.codec.plan import FieldPlan, plan_of
from gateway.codec.settings import CodecSettings
from gateway.codec.writer import LEVELS

MessageType = Descriptor | str


class Codec:
    """JSON to wire bytes and back; a message type is a descriptor or a full name."""

    def __init__(self, pool: DescriptorPool, settings: CodecSettings | None = None) -> None:
        self.settings = settings or CodecSettings()
        self._pool = pool
        self._encoders = Encoders(self.settings)
        self._decoders = Decoders(self.settings)

    def encoder(self, message: MessageType) -> Callable[[bytes], bytes]:
        """Return the function from wire bytes to JSON text; it raises EncodeError."""
        return self._encoders.encoder(self._descriptor(message))

    def value_encoder(self, message: MessageType) -> Callable[[bytes], object]:
        """Return the function from wire bytes to a JSON value for orjson; it raises EncodeError.

        An empty list may be a tuple in it, and a large integer an orjson.Fragment.
        """
        return self._encoders.value_encoder(self._descriptor(message))

    def decoder(self, message: MessageType) -> Callable[[bytes], bytes]:
        """Return the function from JSON text to wire bytes; it raises DecodeError."""
        decode_value = self.value_decoder(message)

        def decode(text: bytes) -> bytes:
            return decode_value(parse(text))

        return decode

    def value_decoder(self, message: MessageType) -> Callable[[object], bytes]:
        """Return the function from a JSON value, as `parse` gives it, to wire bytes; it raises DecodeError."""
        write = self._decoders.form(self._descriptor(message)).write

        def decode(value: object) -> bytes:
            return write(value, LEVELS)

        return decode

    def parameters(self, message: MessageType) -> Callable[[Iterable[tuple[str, str]]], dict[str, object]]:
        """Return the function from names and texts of a path or a query to a JSON value for the value decoder.

        It raises DecodeError for an unknown name and for two texts of a field that is not repeated.
        """
        lenient = self.settings.ignore_unknown_query_parameters
        return Parameters(self._descriptor(message), self._decoders, lenient).value

    def json_path(self, message: MessageType, path: str) -> str:
        """Return the path of a field in a message (`messages[0].user.content`) as its JSON has it."""
        return json_path(self._descriptor(message), path)

    def member(self, message: MessageType, field: str) -> str:
        """Return the name of the member that a field is written as."""
        return self._encoders.member_name(self._field(message, field))

    def _descriptor(self, message: MessageType) -> Descriptor:
        if isinstance(message, str):
            return self._pool.FindMessageTypeByName(message)
        return message

    def _field(self, message: MessageType, name: str) -> FieldPlan:
        return next(field for field in plan_of(self._descriptor(message)).fields if field.name == name)
