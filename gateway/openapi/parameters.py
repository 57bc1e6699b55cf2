"""Parameters of operations: variables of the path and members of the query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.openapi.comments import Comments
from gateway.openapi.fields import is_inline, is_map, is_required, names_of
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
        parameters.append(described(parameter, comments.of(field)))
    return parameters


def query_parameters(message: Descriptor, bound: Iterable[str], messages: Messages, comments: Comments) -> list[Schema]:
    """Return the parameters of the fields that neither the path nor the body holds.

    Args:
        bound: the names of the fields that are bound elsewhere.
    """
    taken = set(bound)
    fields = [field for field in message.fields if field.name not in taken]
    return list(_query(fields, "", messages, comments, DEPTH))


def _query(
    fields: Iterable[FieldDescriptor], prefix: str, messages: Messages, comments: Comments, depth: int
) -> Iterator[Schema]:
    for field in fields:
        if _is_nested(field):
            if depth and not field.is_repeated:
                yield from _query(field.message_type.fields, f"{prefix}{field.name}.", messages, comments, depth - 1)
            continue
        parameter: Schema = {"name": prefix + field.name, "in": "query"}
        if is_required(field):
            parameter["required"] = True
        parameter["schema"] = messages.value(field, View.REQUEST)
        yield described(parameter, _text(field, comments))


def _text(field: FieldDescriptor, comments: Comments) -> str:
    """Return a field's comment and its other names."""
    others = names_of(field, View.REQUEST)[1:]
    told = f"Also read as {' or '.join(f'`{name}`' for name in others)}." if others else ""
    return "\n\n".join(filter(None, [comments.of(field), told]))


def _is_nested(field: FieldDescriptor) -> bool:
    """Tell whether a field's value has members of its own, so that a query can't hold it under one name."""
    message = field.message_type
    if message is None or is_map(field):
        return message is not None
    if message.full_name in FREE_JSON:
        return not message.full_name.startswith("google.")
    return not (is_inline(message) and all(inner.message_type is None for inner in message.fields))


def _field(message: Descriptor, path: str) -> FieldDescriptor:
    """Return the field at a path in dots."""
    first, _, rest = path.partition(".")
    field = message.fields_by_name[first]
    return _field(field.message_type, rest) if rest else field
