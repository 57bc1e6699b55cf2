"""Hypothesis strategies that make a message together with the JSON it has to have, from descriptors alone.

This is the specification of `llamastack/json/v1/json.proto` written down a second time, by building instead of by
parsing: it shares the reading of options with the codec and nothing else.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from math import isfinite, isnan, nan
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.internal.type_checkers import ToShortestFloat
from google.protobuf.message import Message
from hypothesis import strategies as st

from gateway.codec.plan import FieldPlan, MessagePlan, enum_plan_of, plan_of

Field = FieldDescriptor
LEVELS = 4

INTEGERS = {
    Field.TYPE_INT32: (-(2**31), 2**31 - 1),
    Field.TYPE_SINT32: (-(2**31), 2**31 - 1),
    Field.TYPE_SFIXED32: (-(2**31), 2**31 - 1),
    Field.TYPE_UINT32: (0, 2**32 - 1),
    Field.TYPE_FIXED32: (0, 2**32 - 1),
    Field.TYPE_INT64: (-(2**63), 2**63 - 1),
    Field.TYPE_SINT64: (-(2**63), 2**63 - 1),
    Field.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    Field.TYPE_UINT64: (0, 2**64 - 1),
    Field.TYPE_FIXED64: (0, 2**64 - 1),
}
ABSENT = object()


@dataclass(frozen=True)
class Sample:
    """A value as protobuf has it and as JSON has it; the JSON is ABSENT where no member is written."""

    value: Any
    json: Any


@cache
def samples(message: Descriptor, levels: int = LEVELS) -> st.SearchStrategy[Sample]:
    """Return messages with their JSON; below ``levels`` only what is required is there."""
    if message.full_name in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
        return _moments(message)
    plan = plan_of(message)
    if plan.union:
        return st.one_of([_alone(plan, field, levels) for field in _distinct(plan, levels)])
    if plan.inline:
        return _alone(plan, plan.fields[0], levels)
    return _objects(plan, levels)


def _alone(plan: MessagePlan, field: FieldPlan, levels: int) -> st.SearchStrategy[Sample]:
    """Return inline messages with one field set, whose JSON is that field's."""
    position = plan.fields.index(field)
    earlier = plan.fields[:position]

    def build(sample: Sample) -> Sample:
        return Sample(_message(plan, {field: sample}), None if sample.json is ABSENT else sample.json)

    values = _values(field, levels)
    if _kind(field) == "string" and not field.repeated:
        taken = {name for other in earlier if other.descriptor.enum_type for name in enum_plan_of(other.enum).numbers}
        values = values.filter(lambda sample: sample.json not in taken)
    if field.descriptor.enum_type and any(other.descriptor.type in INTEGERS for other in plan.fields):
        values = values.filter(lambda sample: isinstance(sample.json, str))
    if field.digits:
        values = (
            st.integers(min_value=2**63)
            .flatmap(lambda n: st.sampled_from([n, -n - 1]))
            .map(lambda n: Sample(str(n), n))
        )
    if field.descriptor.type in (Field.TYPE_DOUBLE, Field.TYPE_FLOAT) and plan.union:
        values = values.filter(lambda sample: not isinstance(sample.json, str))
    return values.map(build)


def _objects(plan: MessagePlan, levels: int) -> st.SearchStrategy[Sample]:
    """Return messages that are JSON objects."""
    members: dict[FieldPlan, st.SearchStrategy[Sample | None]] = {}
    for field in plan.fields:
        values = _values(field, levels)
        if not field.oneof and (field.required or (levels > 0 and not field.presence)):
            members[field] = values
        else:
            members[field] = st.none() if levels <= 0 and not field.oneof else st.none() | values

    @st.composite
    def build(draw: st.DrawFn) -> Sample:
        chosen = {group: draw(st.sampled_from(group)) for group in plan.oneofs}
        drawn: dict[FieldPlan, Sample] = {}
        for field, values in members.items():
            if not field.oneof or field in chosen.values():
                sample = draw(values)
                if sample is not None:
                    drawn[field] = sample
        return Sample(_message(plan, drawn), _object_json(plan, drawn))

    return build()


def _object_json(plan: MessagePlan, drawn: dict[FieldPlan, Sample]) -> dict[str, Any]:
    json: dict[str, Any] = dict([plan.constant]) if plan.constant else {}
    for field in plan.fields:
        sample = drawn.get(field)
        value = sample.json if sample else ABSENT if field.presence else _default(field)
        if field.omit_empty and value in ({}, [], "", 0):
            value = ABSENT
        if field.emit_null and value is ABSENT:
            value = None
        if value is not ABSENT:
            json |= dict.fromkeys((field.name, *(field.aliases if field.emit_aliases else ())), value)
    return json


def _message(plan: MessagePlan, drawn: dict[FieldPlan, Sample]) -> Message:
    message = message_factory.GetMessageClass(plan.descriptor)()
    for field, sample in drawn.items():
        if field.is_map:
            for key, value in sample.value.items():
                entry = getattr(message, field.name)
                entry[key].CopyFrom(value) if isinstance(value, Message) else entry.__setitem__(key, value)
        elif field.repeated:
            getattr(message, field.name).extend(sample.value)
        elif field.message is not None:
            getattr(message, field.name).CopyFrom(sample.value)
        else:
            setattr(message, field.name, sample.value)
    return message


def _values(field: FieldPlan, levels: int) -> st.SearchStrategy[Sample]:
    """Return values of a field as a whole."""
    if not field.repeated:
        values = _singles(field, levels)
        return values if _nullable(field) else values.filter(lambda sample: sample.json is not None)
    size = 3 if levels > 0 else 0
    if not field.is_map:
        items = st.lists(_singles(field, levels), max_size=size)
        return items.map(lambda found: Sample([each.value for each in found], [each.json for each in found]))
    assert field.message is not None
    key, value = plan_of(field.message).fields
    entries = st.dictionaries(_keys(key), _singles(value, levels, in_map=True), max_size=size)
    return entries.map(
        lambda found: Sample(
            {name: each.value for name, each in found.items()},
            {_key_text(name): each.json for name, each in found.items()},
        )
    )


def _singles(field: FieldPlan, levels: int, in_map: bool = False) -> st.SearchStrategy[Sample]:
    """Return values of a singular field, or of one item."""
    kind = field.descriptor.type
    if field.message is not None:
        message = field.message
        return st.deferred(lambda: samples(message, levels - 1))
    if kind == Field.TYPE_ENUM:
        return _enums(field, field.repeated or in_map)
    if kind in INTEGERS:
        return st.integers(*INTEGERS[kind]).map(lambda n: Sample(n, n))
    if kind == Field.TYPE_BOOL:
        return st.booleans().map(lambda b: Sample(b, b))
    if kind == Field.TYPE_BYTES:
        return st.binary(max_size=9).map(lambda b: Sample(b, base64.b64encode(b).decode()))
    if kind == Field.TYPE_STRING:
        if field.digits:
            return st.integers().map(lambda n: Sample(str(n), n))
        return st.text(max_size=9).map(lambda t: Sample(t, t))
    if kind == Field.TYPE_DOUBLE:
        return st.floats().map(_one_nan).map(lambda x: Sample(x, x if isfinite(x) else _nonfinite(x)))
    # the largest floats are more than json_format reads back in their shortest form, and its form of the least ones is
    # not the shortest
    floats = (
        st.floats(width=32, allow_subnormal=False).filter(lambda x: not isfinite(x) or abs(x) < 3.4e38).map(_one_nan)
    )
    return floats.map(lambda x: Sample(x, ToShortestFloat(x) if isfinite(x) else _nonfinite(x)))


def _one_nan(number: float) -> float:
    """Return a number, or for any of the many NaN the one that JSON's "NaN" is read as."""
    return nan if isnan(number) else number


def _enums(field: FieldPlan, zero_too: bool) -> st.SearchStrategy[Sample]:
    if field.enum.full_name == "google.protobuf.NullValue":
        return st.just(Sample(0, None))
    plan = enum_plan_of(field.enum)
    numbers = [number for number in plan.spellings if number or zero_too]
    if not zero_too and not field.presence and not field.required:
        numbers.append(0)
    unknown = max(numbers) + 7

    def build(number: int) -> Sample:
        if number == 0 and not zero_too:
            return Sample(0, ABSENT)
        return Sample(number, number - 1 if plan.ordinal else plan.spellings.get(number, number))

    return st.sampled_from([*numbers, unknown, -5]).map(build)


def _moments(message: Descriptor) -> st.SearchStrategy[Sample]:
    """Return timestamps and durations."""
    make = message_factory.GetMessageClass(message)
    if message.name == "Timestamp":
        times = st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31), timezones=st.just(UTC))
        return times.map(lambda time: _moment(make, time))
    parts = st.tuples(st.integers(0, 10**11), st.integers(0, 999_999_999), st.sampled_from([1, -1]))
    return parts.map(lambda part: _span(make, *part))


def _moment(make: type[Message], time: datetime) -> Sample:
    value: Any = make()
    value.FromDatetime(time)
    return Sample(value, value.ToJsonString())


def _span(make: type[Message], seconds: int, nanos: int, sign: int) -> Sample:
    value: Any = make(seconds=sign * seconds, nanos=sign * nanos)
    return Sample(value, value.ToJsonString())


def _keys(field: FieldPlan) -> st.SearchStrategy[Any]:
    return _singles(field, 0).map(lambda sample: sample.value)


def _nullable(field: FieldPlan) -> bool:
    """Return whether null is a value of the field's type."""
    message = field.message
    return message is not None and any(_is_null(variant) for variant in message.fields)


def _is_null(field: FieldDescriptor) -> bool:
    return field.enum_type is not None and field.enum_type.full_name == "google.protobuf.NullValue"


def _key_text(key: object) -> str:
    return key if isinstance(key, str) else str(key).lower()


def _default(field: FieldPlan) -> Any:
    """Return the JSON of a field without presence that is not set."""
    if field.repeated:
        return {} if field.is_map else []
    kind = field.descriptor.type
    defaults = {Field.TYPE_ENUM: ABSENT, Field.TYPE_BOOL: False, Field.TYPE_STRING: "", Field.TYPE_BYTES: ""}
    return defaults.get(kind, 0.0 if kind in (Field.TYPE_DOUBLE, Field.TYPE_FLOAT) else 0)


def _nonfinite(number: float) -> str:
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"


def _distinct(plan: MessagePlan, levels: int) -> list[FieldPlan]:
    """Return the variants that JSON tells from those before them; at the last level only scalars if there are any."""
    found: list[FieldPlan] = []
    kinds: set[object] = set()
    for field in plan.fields:
        kind = _kind(field)
        if kind not in kinds:
            kinds.add(kind)
            found.append(field)
    flat = [field for field in found if field.message is None]
    return flat if levels <= 0 and flat else found


def _kind(field: FieldPlan) -> object:
    """Return what a variant is told from others by: the kind of JSON, or the constant of an object."""
    if field.is_map:
        return "object"
    if field.repeated:
        return "array"
    if field.message is not None:
        plan = plan_of(field.message)
        if plan.name.startswith("google.protobuf.") and not plan.inline:
            return "string"
        if plan.inline:
            return _kind(plan.fields[0]) if not plan.union else plan.name
        return plan.constant or "object"
    kind = field.descriptor.type
    if field.digits:
        return "digits"
    if kind == Field.TYPE_ENUM:
        return field.enum.full_name
    if kind in INTEGERS:
        return "integer"
    names = {Field.TYPE_BOOL: "boolean", Field.TYPE_STRING: "string", Field.TYPE_BYTES: "string"}
    return names.get(kind, "number")
