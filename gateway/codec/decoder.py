"""Compiles a message type into the function that turns its JSON into wire bytes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from struct import Struct

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.codec import scalar, wellknown, writer
from gateway.codec.errors import unfit
from gateway.codec.form import Fit, Form, Profile, Writer, either, succeeds
from gateway.codec.plan import WRAPPERS, EnumPlan, FieldPlan, MessagePlan, enum_plan_of, plan_of
from gateway.codec.settings import CodecSettings
from gateway.codec.union import Variant, union_form
from gateway.codec.wire import FIXED32, FIXED64, LENGTH, MASK64, SMALL, VARINT, VARINTS, delimited, tag, varint

Field = FieldDescriptor

_INTEGERS: dict[int, tuple[int, bool]] = {
    Field.TYPE_INT32: (32, True),
    Field.TYPE_SINT32: (32, True),
    Field.TYPE_SFIXED32: (32, True),
    Field.TYPE_INT64: (64, True),
    Field.TYPE_SINT64: (64, True),
    Field.TYPE_SFIXED64: (64, True),
    Field.TYPE_UINT32: (32, False),
    Field.TYPE_FIXED32: (32, False),
    Field.TYPE_UINT64: (64, False),
    Field.TYPE_FIXED64: (64, False),
}
# written as varints of themselves where they are not negative
_PLAIN = frozenset({Field.TYPE_INT32, Field.TYPE_INT64, Field.TYPE_UINT32, Field.TYPE_UINT64})
_LAYOUTS: dict[int, tuple[int, Struct]] = {
    Field.TYPE_DOUBLE: (FIXED64, Struct("<d")),
    Field.TYPE_FLOAT: (FIXED32, Struct("<f")),
    Field.TYPE_FIXED64: (FIXED64, Struct("<Q")),
    Field.TYPE_SFIXED64: (FIXED64, Struct("<q")),
    Field.TYPE_FIXED32: (FIXED32, Struct("<I")),
    Field.TYPE_SFIXED32: (FIXED32, Struct("<i")),
}
_TEXTS: dict[int, tuple[Callable[[object], bytes], str, Fit | None]] = {
    Field.TYPE_STRING: (scalar.text, "a string", None),
    Field.TYPE_BYTES: (scalar.binary, "a base64 string", succeeds(scalar.binary)),
}


class Decoders:
    """The compiled forms of all message types that have been asked for."""

    def __init__(self, settings: CodecSettings) -> None:
        self._settings = settings
        self._forms: dict[str, Form] = {}

    def form(self, message: Descriptor) -> Form:
        """Return the form of a message type; the same one for every call."""
        name = message.full_name
        if name not in self._forms:
            plan = plan_of(message)
            form = self._forms[name] = Form(_unready, LENGTH, f"an object ({message.name})", objects=(_profile(plan),))
            if name in (wellknown.TIMESTAMP, wellknown.DURATION):
                ready = _moment_form(name)
            elif plan.union:
                ready = union_form(tuple(self._variant(field) for field in plan.fields))
            elif plan.inline:
                ready = self._inline(plan)
            else:
                ready = Form(self._object(plan), LENGTH, form.expected, objects=form.objects)
            form.write, form.expected, form.objects = ready.write, ready.expected, ready.objects
            form.own, form.also, form.certain = ready.own, ready.also, ready.certain
        return self._forms[name]

    def item(self, field: FieldPlan) -> Form:
        """Return the form of a field's value, of one item where it is repeated, of the whole where it is a map."""
        return self._map(field).form if field.is_map else self._single(field, field.repeated)

    def _variant(self, field: FieldPlan, in_map: bool = False) -> Variant:
        if field.is_map:
            return self._map(field)
        form = self._single(field, field.repeated or in_map)
        packs = field.repeated and form.wire_type != LENGTH
        prefix = b"" if packs else tag(field.number, form.wire_type)
        write: Writer
        if field.message is not None:
            content = writer.late(form) if form.write is _unready else form.write
            write = writer.message_field(prefix, content, form.certain)
        elif field.descriptor.type == Field.TYPE_STRING and not field.digits:
            write = writer.string_field(prefix)
        elif field.descriptor.type in _TEXTS and not field.digits:
            write = writer.text_field(prefix, _TEXTS[field.descriptor.type][0])
        elif form.wire_type == LENGTH:
            write = partial(_delimited, prefix, form.write)
        elif field.descriptor.type == Field.TYPE_DOUBLE:
            write = writer.double_field(prefix, form.write)
        elif form.codes:
            write = writer.enum_field(prefix, form.write, form.codes)
        elif field.descriptor.type in _PLAIN:
            write = writer.varint_field(prefix, form.write)
        else:
            write = writer.plain_field(prefix, form.write)
        if not field.repeated:
            return Variant(form, write)
        write = writer.packed_field(field.number, form.write) if packs else writer.list_field(write)
        return Variant(Form(write, LENGTH, "an array", own={list: _first_item(form)}), write)

    def _map(self, field: FieldPlan) -> Variant:
        assert field.message is not None
        key, value = plan_of(field.message).fields
        item = self._variant(value, in_map=True)
        write = writer.map_field(tag(field.number, LENGTH), _key_writer(key, self._variant(key).write), item.write)
        return Variant(Form(write, LENGTH, "an object", objects=(Profile(),)), write)

    def _single(self, field: FieldPlan, many: bool) -> Form:
        """Return the form of a field's value, or of one of its values where there are many."""
        kind = field.descriptor.type
        if field.message is not None:
            return self.form(field.message)
        if kind == Field.TYPE_ENUM:
            return _enum_form(field.enum, many)
        if field.digits:
            return Form(
                _ignoring_depth(scalar.digits),
                LENGTH,
                "an integer",
                own={int: None},
                also={float: succeeds(scalar.digits), str: succeeds(scalar.digits)},
            )
        if kind in _TEXTS:
            check, expected, fit = _TEXTS[kind]
            return Form(_ignoring_depth(check), LENGTH, expected, own={str: fit})
        if kind == Field.TYPE_BOOL:
            return Form(lambda value, depth: VARINTS[scalar.boolean(value)], VARINT, "true or false", own={bool: None})
        return _float_form(kind) if kind in (Field.TYPE_DOUBLE, Field.TYPE_FLOAT) else _integer_form(kind)

    def _inline(self, plan: MessagePlan) -> Form:
        (field,) = plan.fields
        inner = self._variant(field)
        wraps = not inner.form.objects and plan.name not in WRAPPERS
        whole = self._object(plan) if wraps else None
        field_write = inner.write

        def write(value: object, depth: int) -> bytes:
            if value is None:
                return b""
            if whole is not None and type(value) is dict:
                return whole(value, depth)
            return field_write(value, depth)

        also = dict(inner.form.also)
        if wraps:
            also[dict] = _any_of(field.names)
        return Form(write, LENGTH, inner.form.expected, own=inner.form.own, also=also, objects=inner.form.objects)

    def _object(self, plan: MessagePlan) -> Writer:
        members = []
        for field in plan.fields:
            variant = self._variant(field)
            form, nullable = variant.form, type(None) in variant.form.own
            members.append(
                writer.Member(field.names, variant.write, form.expected, field.required, nullable, field.oneof)
            )
        expected = f"an object ({plan.descriptor.name})"
        return writer.object_writer(
            writer.Members(tuple(members), plan.constant, expected, self._settings.ignore_unknown_fields)
        )


def _unready(value: object, depth: int) -> bytes:
    """Stand in for the writer of a form that is still being compiled."""
    raise AssertionError("a form was used before it was compiled")


def _first_item(form: Form) -> Fit:
    """Return whether an array's first item, if there is one, is of a form."""
    return lambda value: isinstance(value, list) and (not value or form.accepts(value[0]))


def _any_of(names: tuple[str, ...]) -> Fit:
    """Return whether an object has a member of one of these names."""
    return lambda value: isinstance(value, dict) and any(name in value for name in names)


def _profile(plan: MessagePlan) -> Profile:
    names = [name for field in plan.fields for name in field.names]
    names += [plan.constant[0]] if plan.constant else []
    return Profile(plan.constant, tuple(field.names for field in plan.fields if field.required), frozenset(names))


def _delimited(prefix: bytes, content: Writer, value: object, depth: int) -> bytes:
    return delimited(prefix, content(value, depth))


def _ignoring_depth(check: Callable[[object], bytes]) -> Writer:
    return lambda value, depth: check(value)


def _integer_form(kind: int) -> Form:
    bits, signed = _INTEGERS[kind]
    check = scalar.integer(bits, signed)
    fits = succeeds(check)
    if kind in _LAYOUTS:
        wire_type, layout = _LAYOUTS[kind]
        pack = layout.pack

        def write(value: object, depth: int) -> bytes:
            return pack(check(value))

    elif kind in (Field.TYPE_SINT32, Field.TYPE_SINT64):
        wire_type = VARINT

        def write(value: object, depth: int) -> bytes:
            number = check(value)
            return varint((number << 1 ^ number >> 63) & MASK64)

    else:
        wire_type = VARINT

        def write(value: object, depth: int) -> bytes:
            number = check(value)
            return VARINTS[number] if 0 <= number < SMALL else varint(number & MASK64)

    return Form(write, wire_type, "an integer", own={int: fits}, also={float: fits, str: fits})


def _float_form(kind: int) -> Form:
    wire_type, layout = _LAYOUTS[kind]
    pack, check = layout.pack, scalar.double if kind == Field.TYPE_DOUBLE else scalar.single

    def write(value: object, depth: int) -> bytes:
        return pack(check(value))

    return Form(write, wire_type, "a number", own={float: None}, also={int: None, str: succeeds(check)})


def _enum_form(enum: EnumDescriptor, many: bool) -> Form:
    if enum.full_name == "google.protobuf.NullValue":
        return Form(lambda value, depth: b"\0", VARINT, "null", own={type(None): None})
    plan = enum_plan_of(enum)
    number_of = scalar.integer(32, signed=True)
    if plan.ordinal:
        return _ordinal_form(plan)
    zero = "" if many else plan.spellings.get(0, "")
    spelled = [spelling for spelling in plan.spellings.values() if spelling != zero]
    codes = {name: varint(number & MASK64) for name, number in plan.numbers.items() if name != zero}
    expected = either(f'"{spelling}"' for spelling in spelled)
    fits = succeeds(number_of)

    def is_unknown(value: object) -> bool:
        """Return whether a number has no spelling, so that a union can't have it in any other way."""
        return value not in plan.spellings and fits(value)

    def write(value: object, depth: int) -> bytes:
        if type(value) is str:
            code = codes.get(value)
            if code is not None:
                return code
        elif type(value) in (int, float):
            return varint(number_of(value) & MASK64)
        raise unfit(expected, value)

    return Form(
        write,
        VARINT,
        expected,
        own={str: frozenset(spelled).__contains__},
        also={str: codes.__contains__, int: is_unknown},
        codes=codes,
    )


def _ordinal_form(plan: EnumPlan) -> Form:
    known = sorted(number - 1 for number in plan.spellings if number)
    expected = f"one of the integers {', '.join(map(str, known))}"
    check = scalar.integer(33, signed=True)

    def write(value: object, depth: int) -> bytes:
        try:
            number = check(value) + 1
        except ValueError:
            raise unfit(expected, value) from None
        if not -(1 << 31) <= number < 1 << 31:
            raise unfit(expected, value)
        return varint(number & MASK64)

    fits = succeeds(lambda value: write(value, 0))
    return Form(write, VARINT, expected, own={int: fits}, also={float: fits, str: fits})


def _key_writer(key: FieldPlan, write: Writer) -> Writer:
    """Return the writer of a map's key from the member's name, given the writer of its JSON value."""
    if key.descriptor.type != Field.TYPE_BOOL:
        return write
    booleans = {"true": True, "false": False}

    def write_boolean(name: object, depth: int) -> bytes:
        if name not in booleans:
            raise unfit('"true" or "false"', name)
        return write(booleans[str(name)], depth)

    return write_boolean


def _moment_form(name: str) -> Form:
    check = wellknown.timestamp if name == wellknown.TIMESTAMP else wellknown.duration
    expected = "an RFC 3339 time" if name == wellknown.TIMESTAMP else "a duration in seconds"

    def write(value: object, depth: int) -> bytes:
        seconds, nanos = check(value)
        return b"\x08" + varint(seconds & MASK64) + b"\x10" + varint(nanos & MASK64)

    return Form(write, LENGTH, expected, own={str: succeeds(check)})
