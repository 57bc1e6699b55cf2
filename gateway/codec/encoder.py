"""Compiles a message type into the function that turns its wire bytes into JSON."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial
from struct import Struct

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.codec import reader as r
from gateway.codec.errors import EncodeError
from gateway.codec.floats import floats_value
from gateway.codec.plan import FieldPlan, MessagePlan, enum_plan_of, plan_of
from gateway.codec.scalar import base64_text, double_value, single_value
from gateway.codec.settings import CodecSettings
from gateway.codec.wellknown import DURATION, TIMESTAMP, duration_text, timestamp_text
from gateway.codec.wire import FIXED32, FIXED64, LENGTH, MASK64, VARINT, Merging

Field = FieldDescriptor

_MALFORMED = (EncodeError, IndexError, struct.error, UnicodeDecodeError, RecursionError, orjson.JSONEncodeError)


def signed(bits: int, number: int) -> int:
    """Return the low bits of a varint as a signed number."""
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> bits - 1 else number


def unsigned(bits: int, number: int) -> int:
    """Return the low bits of a varint."""
    return number & ((1 << bits) - 1)


def zigzag(number: int) -> int:
    """Return the signed number that a zigzag varint stands for."""
    return (number >> 1) ^ -(number & 1)


_VARINTS: dict[int, r.Convert] = {
    Field.TYPE_INT32: partial(signed, 32),
    Field.TYPE_INT64: partial(signed, 64),
    Field.TYPE_UINT32: partial(unsigned, 32),
    Field.TYPE_UINT64: partial(unsigned, 64),
    Field.TYPE_SINT32: zigzag,
    Field.TYPE_SINT64: zigzag,
    Field.TYPE_BOOL: bool,
}


def _same(number: float) -> object:
    return number


_FIXED: dict[int, tuple[int, Struct, Callable[[float], object]]] = {
    Field.TYPE_DOUBLE: (FIXED64, Struct("<d"), double_value),
    Field.TYPE_FLOAT: (FIXED32, Struct("<f"), single_value),
    Field.TYPE_FIXED64: (FIXED64, Struct("<Q"), _same),
    Field.TYPE_SFIXED64: (FIXED64, Struct("<q"), _same),
    Field.TYPE_FIXED32: (FIXED32, Struct("<I"), _same),
    Field.TYPE_SFIXED32: (FIXED32, Struct("<i"), _same),
}

_DEFAULTS: dict[int, object] = {Field.TYPE_STRING: "", Field.TYPE_BYTES: "", Field.TYPE_BOOL: False}
_DEFAULTS |= {Field.TYPE_DOUBLE: 0.0, Field.TYPE_FLOAT: 0.0}


class Encoders:
    """The compiled readers of all message types that have been asked for."""

    def __init__(self, settings: CodecSettings) -> None:
        self._settings = settings
        self._readers: dict[str, r.ValueReader] = {}

    def encoder(self, message: Descriptor) -> Callable[[bytes], bytes]:
        """Return the function from wire bytes to JSON text; it raises EncodeError."""
        read = self.reader(message)
        name, dumps = message.full_name, orjson.dumps

        def encode(buffer: bytes) -> bytes:
            try:
                return dumps(read(buffer, 0, len(buffer)))
            except _MALFORMED as error:
                raise EncodeError(f"{name}: malformed: {error}") from error

        return encode

    def value_encoder(self, message: Descriptor) -> Callable[[bytes], object]:
        """Return the function from wire bytes to a JSON value that orjson can write; it raises EncodeError.

        Empty lists may be tuples in it.
        """
        read = self.reader(message)
        name = message.full_name

        def encode(buffer: bytes) -> object:
            try:
                return read(buffer, 0, len(buffer))
            except _MALFORMED as error:
                raise EncodeError(f"{name}: malformed: {error}") from error

        return encode

    def member_name(self, field: FieldPlan) -> str:
        """Return the name that a field's member is written under."""
        return field.name if self._settings.preserve_proto_field_names else field.descriptor.json_name

    def reader(self, message: Descriptor) -> r.ValueReader:
        """Return the reader of a message type; the same one for every call."""
        name = message.full_name
        if name not in self._readers:
            # a type that refers to itself finds this until its own reader is ready
            self._readers[name] = lambda buffer, position, end: self._readers[name](buffer, position, end)
            self._readers[name] = self._compile(plan_of(message))
        return self._readers[name]

    def _compile(self, plan: MessagePlan) -> r.ValueReader:
        if plan.name in (TIMESTAMP, DURATION):
            return _moment_reader(timestamp_text if plan.name == TIMESTAMP else duration_text)
        wrapped = plan.wrappable and self._settings.emit_wrapped
        inline = plan.inline and not wrapped
        readers, messages, oneofs, packs = r.Readers(), set[int](), dict[int, str](), dict[int, int]()
        for field in plan.fields:
            name = r.VALUE if inline else self.member_name(field)
            for number, read in self._field_readers(field, name):
                readers[number] = read
                if field.message is not None and not field.repeated:
                    messages.add(number)
                if field.oneof:
                    oneofs[number] = field.oneof
                if _is_floats(field):
                    packs[number] = field.number << 3 | LENGTH
        merging = Merging(frozenset(messages), oneofs, packs)
        shape = r.Shape(self._template(plan, inline), merging, r.VALUE if inline else "")
        if not inline:
            shape.oneofs = tuple(frozenset(map(self.member_name, members)) for members in plan.oneofs)
            shape.copies = tuple(self._copies(plan))
        return r.message_reader(readers, shape)

    def _copies(self, plan: MessagePlan) -> Iterator[tuple[str, str]]:
        for field in plan.fields:
            if field.emit_aliases:
                yield from ((self.member_name(field), alias) for alias in field.aliases)

    def _template(self, plan: MessagePlan, inline: bool) -> r.Members:
        """Return the members that are there before anything has been read."""
        template: r.Members = dict([plan.constant]) if plan.constant else {}
        for field in plan.fields:
            name = r.VALUE if inline else self.member_name(field)
            if field.emit_null:
                template[name] = None
            if field.presence or (field.omit_empty and not inline):
                continue
            if inline or field.required or self._settings.always_print_primitive_fields:
                default = self._default(field)
                if default is not None:
                    template[name] = default
        return template

    def _default(self, field: FieldPlan) -> object:
        """Return the JSON value of a field without presence that is not set, or None for an enum."""
        if field.repeated:
            return {} if field.is_map else ()
        if field.descriptor.type == Field.TYPE_ENUM:
            return None
        return _DEFAULTS.get(field.descriptor.type, 0)

    def _field_readers(self, field: FieldPlan, name: str) -> Iterator[tuple[int, r.Reader]]:
        """Yield each tag of a field and its reader."""
        kind, number = field.descriptor.type, field.number << 3
        if field.is_map:
            yield number | LENGTH, self._map_reader(field, name)
        elif field.message is not None:
            value = self.reader(field.message)
            make = r.message_item_reader if field.repeated else r.submessage_reader
            yield number | LENGTH, make(name, value)
        elif _is_floats(field):
            yield number | LENGTH, r.pack_reader(name, floats_value)
            yield number | FIXED32, r.lone_reader
        elif kind == Field.TYPE_DOUBLE and not field.repeated:
            yield number | FIXED64, r.double_reader(name)
        elif kind in _FIXED:
            wire_type, layout, convert_fixed = _FIXED[kind]
            if field.repeated:
                yield number | LENGTH, r.packed_fixed_reader(name, layout, convert_fixed)
            yield number | wire_type, _of_item(field, name, partial(_fixed, layout=layout, convert=convert_fixed))
        elif kind in (Field.TYPE_STRING, Field.TYPE_BYTES):
            yield number | LENGTH, _of_item(field, name, _payload_reader(field))
        else:
            convert = self._spelling(field) if kind == Field.TYPE_ENUM else _VARINTS[kind]
            if field.repeated:
                yield number | LENGTH, r.packed_varint_reader(name, convert)
            leaves_zero = kind == Field.TYPE_ENUM and not field.repeated
            make_varint = r.enum_reader if leaves_zero else r.varint_reader
            yield number | VARINT, _of_item(field, name, partial(make_varint, convert=convert))

    def _spelling(self, field: FieldPlan) -> r.Convert:
        """Return the function from an enum's number to its JSON value; in a union that is always text."""
        enum, in_union = field.enum, plan_of(field.descriptor.containing_type).union
        if enum.full_name == "google.protobuf.NullValue":
            return lambda number: None
        plan = enum_plan_of(enum)
        if plan.ordinal:
            return lambda number: signed(32, number) - 1
        spellings: dict[int, object] = {}
        if in_union or not self._settings.always_print_enums_as_ints:
            spellings = {number & MASK64: spelling for number, spelling in plan.spellings.items()}

        def spell(number: int) -> object:
            return spellings.get(number) or signed(32, number)

        return spell

    def _map_reader(self, field: FieldPlan, name: str) -> r.Reader:
        entry = field.message
        assert entry is not None
        key, value = plan_of(entry).fields
        readers = r.Readers()
        for part, member in ((key, r.KEY), (value, r.VALUE)):
            readers.update(self._field_readers(part, member))
        template = {r.KEY: _DEFAULTS.get(key.descriptor.type, 0)}
        messages: frozenset[int] = frozenset()
        empty: Callable[[], object] = partial(_DEFAULTS.get, value.descriptor.type, 0)
        if value.message is not None:
            messages = frozenset((value.number << 3 | LENGTH,))
            empty = partial(self.reader(value.message), b"", 0, 0)
        elif value.descriptor.type == Field.TYPE_ENUM:
            empty = partial(self._spelling(value), 0)
        read = r.message_reader(readers, r.Shape(template, Merging(messages)))
        form = r.Entry(read, _key_text, empty)
        if key.descriptor.type == Field.TYPE_STRING:
            form.key_tag = key.number << 3 | LENGTH
            form.values = r.Readers(self._field_readers(value, r.VALUE))
        return r.entry_reader(name, form)


def _is_floats(field: FieldPlan) -> bool:
    return field.repeated and field.descriptor.type == Field.TYPE_FLOAT


def _of_item(field: FieldPlan, name: str, make: Callable[[str], r.Reader]) -> r.Reader:
    """Return a reader of the singular field, or of one item where it is repeated."""
    return r.item_reader(name, make(r.VALUE)) if field.repeated else make(name)


def _fixed(name: str, layout: Struct, convert: Callable[[float], object]) -> r.Reader:
    return r.fixed_reader(name, layout, convert)


def _payload_reader(field: FieldPlan) -> Callable[[str], r.Reader]:
    if field.digits:
        return partial(r.bytes_reader, convert=_digits)
    if field.descriptor.type == Field.TYPE_BYTES:
        return partial(r.bytes_reader, convert=base64_text)
    return r.string_reader


def _digits(payload: bytes) -> object:
    if not payload.removeprefix(b"-").isdigit():
        raise EncodeError("an integer that is not written in digits")
    return orjson.Fragment(payload)


def _key_text(key: object) -> str:
    """Return a map's key as JSON: itself, digits, or true and false."""
    return key if type(key) is str else str(key).lower()


def _moment_reader(text: Callable[[int, int], str]) -> r.ValueReader:
    """Return the reader of a message of seconds and nanos as text."""
    readers = r.Readers(
        {8: r.varint_reader("seconds", partial(signed, 64)), 16: r.varint_reader("nanos", partial(signed, 32))}
    )
    read = r.message_reader(readers, r.Shape({"seconds": 0, "nanos": 0}, Merging()))

    def read_text(buffer: bytes, position: int, end: int) -> object:
        members: r.Members = dict[str, int](read(buffer, position, end))  # type: ignore[call-overload]
        return text(members["seconds"], members["nanos"])

    return read_text
