"""What the JSON options and rules of single fields, enums and messages say."""

from __future__ import annotations

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.openapi.bounds import rules_of
from gateway.openapi.schema import Schema, View
from llamastack.json.v1 import json_pb2


def is_required(field: FieldDescriptor) -> bool:
    """Tell whether the JSON form has to have the field."""
    behaviours = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.REQUIRED in behaviours


def is_inline(message: Descriptor) -> bool:
    return bool(message.GetOptions().Extensions[json_pb2.message].inline)


def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def is_optional(field: FieldDescriptor) -> bool:
    """Tell whether a field is in a oneof of its own, which is how proto3 makes a scalar optional."""
    return field.containing_oneof is not None and field.containing_oneof.name == f"_{field.name}"


def is_nullable(field: FieldDescriptor, view: View) -> bool:
    """Tell whether a field's member may be null: read, that is the same as absent; written, only where an option says so.

    A member of a oneof is left out instead, so that counting members tells how many are set.
    """
    if view is View.RESPONSE:
        return bool(field.GetOptions().Extensions[json_pb2.field].emit_null)
    return not is_required(field) and (field.containing_oneof is None or is_optional(field))


def constant_of(field: FieldDescriptor) -> json_pb2.Constant | None:
    """Return the constant of a field's message; None when it has none."""
    if field.message_type is None:
        return None
    constant: json_pb2.Constant = field.message_type.GetOptions().Extensions[json_pb2.message].constant
    return constant if constant.name else None


def spellings_of(enum: EnumDescriptor) -> dict[int, str | int]:
    """Return how the values of an enum are spelled, by number and without UNSPECIFIED."""
    ordinal = enum.GetOptions().Extensions[json_pb2.enum].spelling == json_pb2.EnumJson.SPELLING_ORDINAL
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {
        value.number: value.number - 1
        if ordinal
        else value.GetOptions().Extensions[json_pb2.enum_value] or value.name.removeprefix(prefix).lower()
        for value in enum.values
        if value.number
    }


def names_of(field: FieldDescriptor, view: View) -> list[str]:
    """Return the names of a field's member, the proper one first."""
    form = field.GetOptions().Extensions[json_pb2.field]
    aliases = list(form.aliases) if view is View.REQUEST or form.emit_aliases else []
    return [field.name, *aliases]


def always_there(field: FieldDescriptor, view: View) -> bool:
    """Tell whether a field's members are always there: asked for in a request, written in a response."""
    if is_required(field):
        return True
    form = field.GetOptions().Extensions[json_pb2.field]
    if view is View.REQUEST or form.omit_empty:
        return False
    return form.emit_null or not (field.has_presence or (field.enum_type is not None and not field.is_repeated))


def filled(field: FieldDescriptor) -> Schema:
    """Return the keywords of a field without presence that has to be set."""
    if not rules_of(field).required or field.has_presence:
        return {}
    if field.is_repeated:
        return {"minProperties": 1} if is_map(field) else {"minItems": 1}
    return {"minLength": 1} if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES) else {}
