"""The protobuf wire format (https://protobuf.dev/programming-guides/encoding): varints, tags, skipping and merging.

Knows nothing about descriptors or JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gateway.codec.errors import EncodeError

VARINT, FIXED64, LENGTH, START_GROUP, END_GROUP, FIXED32 = range(6)

MASK64 = (1 << 64) - 1


def varint(number: int) -> bytes:
    """Return a number from 0 to 2**64 - 1 as a varint."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


SMALL = 2048
VARINTS = tuple(varint(number) for number in range(SMALL))


def tag(number: int, wire_type: int) -> bytes:
    """Return the tag of a field."""
    return varint(number << 3 | wire_type)


def delimited(prefix: bytes, payload: bytes) -> bytes:
    """Return a tag, the payload's length and the payload."""
    size = len(payload)
    return prefix + (VARINTS[size] if size < SMALL else varint(size)) + payload


def read_varint(buffer: bytes, position: int) -> tuple[int, int]:
    """Return the varint at a position, cut to 64 bits, and the position behind it.

    Raises:
        EncodeError: it has more than ten bytes.
        IndexError: the buffer ends before it does.
    """
    number = shift = 0
    while True:
        byte = buffer[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number & MASK64, position
        shift += 7
        if shift > 63:
            raise EncodeError("a varint of more than ten bytes")


def skip(buffer: bytes, position: int, number: int) -> int:
    """Return the position behind the value whose tag has just been read.

    Raises:
        EncodeError: the tag has no wire type that exists, or ends a group that was not begun.
        IndexError: the buffer ends before the value does.
    """
    groups: list[int] = []
    while True:
        kind = number & 7
        if kind == VARINT:
            position = read_varint(buffer, position)[1]
        elif kind == FIXED64:
            position += 8
        elif kind == FIXED32:
            position += 4
        elif kind == LENGTH:
            size, position = read_varint(buffer, position)
            position += size
        elif kind == START_GROUP:
            groups.append(number >> 3)
        elif kind != END_GROUP or not groups or groups.pop() != number >> 3:
            raise EncodeError(f"a tag of wire type {kind} out of place")
        if not groups:
            return position
        number, position = read_varint(buffer, position)


@dataclass(frozen=True, slots=True)
class Merging:
    """What has to be known of a message's fields to merge the pieces of one.

    ``messages`` are the tags of singular message fields, ``oneofs`` names the oneof of each tag that has one, and
    ``packs`` gives the tag of a packed field for itself and for the tag of a lone item.
    """

    messages: frozenset[int] = frozenset()
    oneofs: Mapping[int, str] = field(default_factory=dict)
    packs: Mapping[int, int] = field(default_factory=dict)


def merged(buffer: bytes, merging: Merging) -> bytes:
    """Return an equal message in which no singular message field, no pack and no oneof occurs twice.

    The pieces of a message field are parts of one message, and of a oneof only the last member counts, which ends what
    came of the others before.
    """
    pieces: dict[tuple[str, int], list[bytes]] = {}
    members: dict[str, int] = {}
    for order, (number, start, payload, stop) in enumerate(_fields(buffer)):
        oneof = merging.oneofs.get(number)
        if oneof is not None and members.setdefault(oneof, number) != number:
            pieces.pop(("joined", members[oneof]), None)
            pieces.pop(("last", members[oneof]), None)
            members[oneof] = number
        joined = number if number in merging.messages else merging.packs.get(number)
        if joined is not None:
            pieces.setdefault(("joined", joined), []).append(buffer[payload:stop])
        elif oneof is not None:
            pieces["last", number] = [buffer[start:stop]]
        else:
            pieces["kept", order] = [buffer[start:stop]]
    out = bytearray()
    for (kind, number), parts in pieces.items():
        whole = b"".join(parts)
        out += delimited(varint(number), whole) if kind == "joined" else whole
    return bytes(out)


def _fields(buffer: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield tag, start of the tag, start of the payload and end of each field; the payload is behind any length."""
    position, end = 0, len(buffer)
    while position < end:
        start = position
        number, position = read_varint(buffer, position)
        payload = read_varint(buffer, position)[1] if number & 7 == LENGTH else position
        position = skip(buffer, position, number)
        yield number, start, payload, position
