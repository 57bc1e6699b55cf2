"""What a field's options and rules mean for the members of a JSON object."""

from __future__ import annotations

from google.protobuf.descriptor import FieldDescriptor

from gateway.codec.plan import EnumPlan, FieldPlan, plan_of
from gateway.openapi.bounds import refuses_absence, rules_of
from gateway.openapi.schema import Schema, View


def member_names(field: FieldPlan, view: View) -> list[str]:
    """Return the names of a field's member that a schema shows, the proper one first."""
    aliases = field.aliases if view is View.REQUEST or field.emit_aliases else ()
    return [field.name, *aliases]


def is_nullable(field: FieldPlan, view: View) -> bool:
    """Tell whether a field's member may be null.

    Read, null is the same as absent; written, it is there only where an option says so. A member of a oneof is left out
    instead, so that counting members tells how many are set.
    """
    if view is View.RESPONSE:
        return field.emit_null
    return not is_needed(field) and not field.oneof


def is_needed(field: FieldPlan) -> bool:
    """Tell whether a request has to have a field: it is required, or what its absence means is against its rules."""
    return field.required or (not field.oneof and refuses_absence(rules_of(field.descriptor), field.presence))


def is_always_there(field: FieldPlan, view: View) -> bool:
    """Tell whether a field's members are always there: asked for in a request, written in a response."""
    if view is View.REQUEST:
        return is_needed(field)
    if field.required or field.omit_empty:
        return field.required
    # an enum that is UNSPECIFIED is left out
    single_enum = field.descriptor.enum_type is not None and not field.repeated
    return field.emit_null or not (field.presence or single_enum)


def constant_of(field: FieldPlan) -> tuple[str, str] | None:
    """Return name and value of the constant that a field's values carry; None when there is none."""
    return plan_of(field.message).constant if field.message is not None and not field.is_map else None


def spellings_of(enum: EnumPlan) -> dict[int, str | int]:
    """Return how the values of an enum are spelled, by number and without UNSPECIFIED."""
    return {number: number - 1 if enum.ordinal else text for number, text in enum.spellings.items() if number}


def filled(field: FieldPlan) -> Schema:
    """Return the keywords of a field without presence that has to be set."""
    if field.presence or not rules_of(field.descriptor).required:
        return {}
    if field.is_map:
        return {"minProperties": 1}
    if field.repeated:
        return {"minItems": 1}
    is_text = field.descriptor.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
    return {"minLength": 1} if is_text else {}
