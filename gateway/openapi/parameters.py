"""Parameters of operations: variables of the path and members of the query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.descriptor import Descriptor

from gateway.codec.plan import FieldPlan, plan_of
from gateway.openapi.comments import Comments
from gateway.openapi.fields import is_needed, member_names
from gateway.openapi.messages import FREE_JSON, Messages
from gateway.openapi.schema import Schema, View, described

# deeper members of a query are read too, but nobody looks for them in a document
DEPTH = 3


def path_parameters(message: Descriptor, paths: Iterable[str], messages: Messages, comments: Comments) -> list[Schema]:
    """Return the parameters of the fields that a path template captures, each a path in dots."""
    parameters = []
    for path in paths:
        field = _field(message, path)
        parameter = {"name": path, "in": "path", "required": True, "schema": messages.value(field, View.REQUEST)}
        parameters.append(described(parameter, comments.of(field.descriptor)))
    return parameters


def query_parameters(fields: Iterable[FieldPlan], messages: Messages, comments: Comments) -> list[Schema]:
    """Return the parameters of the fields that a query holds; members of messages are named by paths in dots."""
    return list(_query(fields, "", messages, comments, DEPTH))


def _query(
    fields: Iterable[FieldPlan], prefix: str, messages: Messages, comments: Comments, depth: int
) -> Iterator[Schema]:
    for field in fields:
        if is_nested(field):
            if depth and not field.repeated and field.message is not None:
                inner = plan_of(field.message).fields
                yield from _query(inner, f"{prefix}{field.name}.", messages, comments, depth - 1)
            continue
        parameter: Schema = {"name": prefix + field.name, "in": "query"}
        if is_needed(field):
            parameter["required"] = True
        parameter["schema"] = messages.value(field, View.REQUEST)
        yield described(parameter, _text(field, comments))


def _text(field: FieldPlan, comments: Comments) -> str:
    """Return a field's comment and its other names."""
    others = member_names(field, View.REQUEST)[1:]
    told = f"Also read as {' or '.join(f'`{name}`' for name in others)}." if others else ""
    return "\n\n".join(filter(None, [comments.of(field.descriptor), told]))


def is_nested(field: FieldPlan) -> bool:
    """Tell whether a field's value has members of its own, so that a query can't hold it under one name."""
    message = field.message
    if message is None or field.is_map:
        return message is not None
    if message.full_name in FREE_JSON:
        return not message.full_name.startswith("google.")
    plan = plan_of(message)
    return not plan.inline or any(inner.message is not None for inner in plan.fields)


def _field(message: Descriptor, path: str) -> FieldPlan:
    """Return the field at a path in dots."""
    first, _, rest = path.partition(".")
    field = next(field for field in plan_of(message).fields if field.name == first)
    return _field(field.message, rest) if rest and field.message is not None else field
