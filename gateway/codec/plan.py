"""What the codec has to know of a message: its descriptor and its JSON options, read once and checked.

Knows nothing about wire bytes or JSON text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, OneofDescriptor

from gateway.codec.errors import PlanError
from llamastack.json.v1 import json_pb2

UNSUPPORTED = frozenset(
    f"google.protobuf.{name}" for name in ("Any", "Struct", "Value", "ListValue", "FieldMask", "Method", "Api")
)
WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)


@dataclass(frozen=True, slots=True, eq=False)
class FieldPlan:
    """One field: its descriptor, its options, and the name of the (real) oneof that it belongs to, or ""."""

    descriptor: FieldDescriptor
    required: bool
    aliases: tuple[str, ...]
    emit_aliases: bool
    emit_null: bool
    omit_empty: bool
    digits: bool
    oneof: str

    @property
    def name(self) -> str:
        """Return the proto name."""
        return self.descriptor.name

    @property
    def number(self) -> int:
        """Return the field number."""
        return self.descriptor.number

    @property
    def repeated(self) -> bool:
        """Return whether the field is repeated; maps are."""
        return self.descriptor.is_repeated

    @property
    def is_map(self) -> bool:
        """Return whether the field is a map."""
        message = self.descriptor.message_type
        return self.repeated and message is not None and is_map_entry(message)

    @property
    def presence(self) -> bool:
        """Return whether unset differs from the default value."""
        return self.descriptor.has_presence

    @property
    def message(self) -> Descriptor | None:
        """Return the message type of a message field."""
        return self.descriptor.message_type

    @property
    def enum(self) -> EnumDescriptor:
        """Return the enum type of an enum field."""
        enum = self.descriptor.enum_type
        assert enum is not None
        return enum

    @property
    def names(self) -> tuple[str, ...]:
        """Return every name that is read, the proto name first, each once."""
        return tuple(dict.fromkeys((self.name, self.descriptor.json_name, *self.aliases)))


@dataclass(frozen=True, slots=True, eq=False)
class MessagePlan:
    """One message: its fields in order of number and its options.

    ``constant`` is the name and value of the member that every JSON form carries, or None. ``union`` holds for an
    inline message whose only content is a oneof; an inline message without it has a single field.
    """

    descriptor: Descriptor
    fields: tuple[FieldPlan, ...]
    constant: tuple[str, str] | None
    inline: bool
    union: bool
    wrappable: bool

    @property
    def name(self) -> str:
        """Return the full name."""
        return self.descriptor.full_name

    @property
    def oneofs(self) -> tuple[tuple[FieldPlan, ...], ...]:
        """Return the members of each real oneof."""
        names = dict.fromkeys(field.oneof for field in self.fields if field.oneof)
        return tuple(tuple(field for field in self.fields if field.oneof == name) for name in names)


def _options(descriptor: Any) -> Any:
    """Return the options of a descriptor with the extensions that this module imports.

    protobuf reads the options of a descriptor once: where somebody asked for them before the extensions were imported,
    they lack them.
    """
    options = descriptor.GetOptions()
    return type(options).FromString(options.SerializeToString())


def is_map_entry(message: Descriptor) -> bool:
    """Return whether a message is the entry type of a map field."""
    return bool(_options(message).map_entry)


def real_oneof(oneof: OneofDescriptor | None) -> str:
    """Return a oneof's name, or "" for none and for the one that stands for `optional`."""
    if oneof is None or (len(oneof.fields) == 1 and oneof.name == f"_{oneof.fields[0].name}"):
        return ""
    return oneof.name


@cache
def plan_of(message: Descriptor) -> MessagePlan:
    """Read a message's plan.

    Raises:
        PlanError: the options contradict the message's shape, or it is a type that the codec does not know.
    """
    if message.full_name in UNSUPPORTED:
        raise PlanError(f"{message.full_name}: contracts use llamastack.common.v1.JsonValue for free JSON")
    options = _options(message).Extensions[json_pb2.message]
    wrapper = message.full_name in WRAPPERS
    plan = MessagePlan(
        descriptor=message,
        fields=tuple(_field(field) for field in sorted(message.fields, key=lambda field: field.number)),
        constant=(options.constant.name, options.constant.value) if options.HasField("constant") else None,
        inline=options.inline or wrapper,
        union=options.inline and any(real_oneof(field.containing_oneof) for field in message.fields),
        wrappable=options.wrappable,
    )
    for problem in _problems(plan):
        raise PlanError(f"{message.full_name}: {problem}")
    return plan


def _field(field: FieldDescriptor) -> FieldPlan:
    options = _options(field)
    json = options.Extensions[json_pb2.field]
    if field.type == FieldDescriptor.TYPE_GROUP:
        raise PlanError(f"{field.full_name}: groups are not supported")
    if json.digits and field.type != FieldDescriptor.TYPE_STRING:
        raise PlanError(f"{field.full_name}: only a string holds digits")
    if json.emit_null and not field.has_presence:
        raise PlanError(f"{field.full_name}: emit_null needs a field with presence")
    if json.omit_empty and field.has_presence:
        raise PlanError(f"{field.full_name}: omit_empty needs a field without presence")
    return FieldPlan(
        descriptor=field,
        required=field_behavior_pb2.REQUIRED in options.Extensions[field_behavior_pb2.field_behavior],
        aliases=tuple(json.aliases),
        emit_aliases=json.emit_aliases,
        emit_null=json.emit_null,
        omit_empty=json.omit_empty,
        digits=json.digits,
        oneof=real_oneof(field.containing_oneof),
    )


def _problems(plan: MessagePlan) -> Iterator[str]:
    """Yield what is wrong with a message's options."""
    single = len(plan.fields) == 1 and not plan.union
    if plan.inline and not single and not (plan.union and len({field.oneof for field in plan.fields}) == 1):
        yield "an inline message has one field or one oneof and nothing else"
    if plan.inline and plan.constant:
        yield "an inline message has no members and so no constant"
    if plan.wrappable and not (plan.inline and single):
        yield "only an inline message with a single field is wrappable"
    names = [name for field in plan.fields for name in field.names]
    if plan.constant:
        names.append(plan.constant[0])
    if len(set(names)) != len(names):
        yield f"two members have the same name among {', '.join(sorted(names))}"


@dataclass(frozen=True, slots=True, eq=False)
class EnumPlan:
    """The JSON spelling of an enum: text by number, or ordinals (the number minus one) when ``ordinal`` holds.

    ``spellings`` begins with the zero value and has each number once; ``numbers`` has every name that is read, the full
    value names and those of `allow_alias` included.
    """

    name: str
    spellings: dict[int, str]
    numbers: dict[str, int]
    ordinal: bool


@cache
def enum_plan_of(enum: EnumDescriptor) -> EnumPlan:
    """Read an enum's plan.

    Raises:
        PlanError: two values have one spelling.
    """
    option = _options(enum).Extensions[json_pb2.enum]
    prefix = f"{_upper_snake(enum.name)}_"
    spellings: dict[int, str] = {}
    numbers: dict[str, int] = {}
    for value in enum.values:
        spelling = _options(value).Extensions[json_pb2.enum_value] or value.name.removeprefix(prefix).lower()
        spellings.setdefault(value.number, spelling)
        if numbers.setdefault(spelling, value.number) != value.number:
            raise PlanError(f"{enum.full_name}: two values are spelled {spelling!r}")
    for value in enum.values:
        numbers.setdefault(value.name, value.number)
    ordinal = option.spelling == json_pb2.EnumJson.SPELLING_ORDINAL
    return EnumPlan(enum.full_name, spellings, numbers, ordinal)


def _upper_snake(name: str) -> str:
    """Return a CamelCase name in UPPER_SNAKE_CASE as buf's lint rule ENUM_VALUE_PREFIX derives it."""
    out = ""
    for index, letter in enumerate(name):
        follows = name[index + 1 : index + 2]
        if letter.isupper() and index and (not name[index - 1].isupper() or (follows and follows.islower())):
            out += "_"
        out += letter.upper()
    return out
