"""Finds the integer in a streamed message that becomes its event's id, without decoding the rest.

Reads the protobuf wire format (https://protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.codec.wire import LENGTH, VARINT, read_varint, skip
from gateway.contract import ContractError

_VARINTS = frozenset(
    {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64}
)


def event_id_reader(message: Descriptor, path: str) -> Callable[[bytes], int]:
    """Return the function from wire bytes to the integer at a path in dots; a field that is not set is 0.

    Raises:
        ContractError: the path does not lead to a single integer.
    """
    numbers: list[int] = []
    names = path.split(".")
    within: Descriptor | None = message
    for index, name in enumerate(names):
        field = within.fields_by_name.get(name) if within is not None else None
        last = index == len(names) - 1
        if field is None or field.is_repeated or (field.type not in _VARINTS if last else field.message_type is None):
            raise ContractError(f"event_id_field {path!r} is no single integer of {message.full_name}")
        numbers.append(field.number << 3 | (VARINT if last else LENGTH))
        within = field.message_type
    return lambda buffer: _find(buffer, numbers)


def _find(buffer: bytes, tags: list[int]) -> int:
    for tag in tags[:-1]:
        buffer = _part(buffer, tag)
    found = position = 0
    while position < len(buffer):
        number, position = read_varint(buffer, position)
        if number == tags[-1]:
            found, position = read_varint(buffer, position)
        else:
            position = skip(buffer, position, number)
    return found


def _part(buffer: bytes, tag: int) -> bytes:
    """Return the payload of a message field, its pieces joined, which is how protobuf merges them."""
    parts: list[bytes] = []
    position = 0
    while position < len(buffer):
        number, position = read_varint(buffer, position)
        if number == tag:
            size, position = read_varint(buffer, position)
            parts.append(buffer[position : position + size])
            position += size
        else:
            position = skip(buffer, position, number)
    return b"".join(parts)
