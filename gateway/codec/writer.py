"""Writers: closures that turn a JSON value into the wire bytes of a field, a list, a map or a whole object.

A writer takes the value and how many levels of messages may still follow. Knows nothing about descriptors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from struct import Struct

from gateway.codec.errors import DecodeError, unfit
from gateway.codec.form import Form, Writer
from gateway.codec.scalar import text
from gateway.codec.wire import LENGTH, SMALL, VARINTS, delimited, tag, varint

LEVELS = 100


def late(form: Form) -> Writer:
    """Return a form's writer, looked up at each call, since a form that refers to itself has none yet."""
    return lambda value, depth: form.write(value, depth)


def plain_field(prefix: bytes, content: Writer) -> Writer:
    """Return the writer of a field whose content has no length before it."""

    def write(value: object, depth: int) -> bytes:
        return prefix + content(value, depth)

    return write


def varint_field(prefix: bytes, content: Writer) -> Writer:
    """Return the writer of a field of integers that are written as varints of themselves."""

    def write(value: object, depth: int) -> bytes:
        # True is an int as well
        if type(value) is int and 0 <= value < SMALL:
            return prefix + VARINTS[value]
        return prefix + content(value, depth)

    return write


def enum_field(prefix: bytes, content: Writer, codes: Mapping[str, bytes]) -> Writer:
    """Return the writer of a field of an enum; ``codes`` has the numbers of its spellings, as varints."""
    ready = {spelling: prefix + code for spelling, code in codes.items()}

    def write(value: object, depth: int) -> bytes:
        if type(value) is str and value in ready:
            return ready[value]
        return prefix + content(value, depth)

    return write


def double_field(prefix: bytes, content: Writer) -> Writer:
    """Return the writer of a field of doubles."""
    pack = Struct(f"<{len(prefix)}sd").pack

    def write(value: object, depth: int) -> bytes:
        return pack(prefix, value) if type(value) is float else prefix + content(value, depth)

    return write


def text_field(prefix: bytes, content: Callable[[object], bytes]) -> Writer:
    """Return the writer of a field of strings or bytes."""

    def write(value: object, depth: int) -> bytes:
        payload = content(value)
        size = len(payload)
        return prefix + (VARINTS[size] if size < SMALL else varint(size)) + payload

    return write


def string_field(prefix: bytes) -> Writer:
    """Return the writer of a field of strings."""

    def write(value: object, depth: int) -> bytes:
        # ASCII is all but always what there is, and can't fail
        payload = value.encode() if type(value) is str and value.isascii() else text(value)
        size = len(payload)
        return prefix + (VARINTS[size] if size < SMALL else varint(size)) + payload

    return write


def message_field(prefix: bytes, content: Writer, certain: Mapping[type, Writer]) -> Writer:
    """Return the writer of a field of messages; ``certain`` has the content's writer for types without a choice."""
    writer_of = certain.get

    def write(value: object, depth: int) -> bytes:
        if not depth:
            raise DecodeError(f"at most {LEVELS} levels of messages", "more")
        payload = writer_of(type(value), content)(value, depth - 1)
        size = len(payload)
        return prefix + (VARINTS[size] if size < SMALL else varint(size)) + payload

    return write


def list_field(item: Writer) -> Writer:
    """Return the writer of a repeated field whose items each have their tag."""

    def write(value: object, depth: int) -> bytes:
        if type(value) is not list:
            raise unfit("an array", value)
        parts: list[bytes] = []
        try:
            for each in value:
                parts.append(item(each, depth))
        except DecodeError as error:
            error.in_item(len(parts))
            raise
        return b"".join(parts)

    return write


def packed_field(number: int, item: Writer) -> Writer:
    """Return the writer of a repeated field of numbers."""
    prefix = tag(number, LENGTH)
    items = list_field(item)

    def write(value: object, depth: int) -> bytes:
        payload = items(value, depth)
        return delimited(prefix, payload) if payload else b""

    return write


def map_field(prefix: bytes, key: Writer, item: Writer) -> Writer:
    """Return the writer of a map; ``key`` and ``item`` write the two fields of an entry."""

    def write(value: object, depth: int) -> bytes:
        if type(value) is not dict:
            raise unfit("an object", value)
        if not depth:
            raise DecodeError(f"at most {LEVELS} levels of messages", "more")
        parts: list[bytes] = []
        name = ""
        try:
            for name, each in value.items():
                entry = key(name, 0) + item(each, depth - 1)
                parts.append(delimited(prefix, entry))
        except DecodeError as error:
            error.in_key(name)
            raise
        return b"".join(parts)

    return write


def constant_member(expected: str) -> Writer:
    """Return the writer of a member with a fixed value: it checks the value and writes nothing."""

    def write(value: object, depth: int) -> bytes:
        if value != expected:
            raise unfit(f'"{expected}"', value)
        return b""

    return write


@dataclass(frozen=True, slots=True)
class Member:
    """One field of an object: its names, its writer, a phrase for what it takes, and its oneof or "".

    ``nullable`` says that null is a value of the field and not the same as absent.
    """

    names: tuple[str, ...]
    write: Writer
    expected: str
    required: bool
    nullable: bool
    oneof: str

    def given(self, value: Mapping[str, object]) -> list[str]:
        """Return the names under which an object gives the field a value."""
        return [name for name in self.names if name in value and (self.nullable or value[name] is not None)]


@dataclass(frozen=True, slots=True)
class Members:
    """What the writer of an object has to know."""

    fields: tuple[Member, ...]
    constant: tuple[str, str] | None
    expected: str
    lenient: bool

    def unknown(self) -> DecodeError:
        """Return the error for a member that does not exist."""
        known = [self.constant[0]] if self.constant else []
        known += [member.names[0] for member in self.fields]
        expected = f"one of the members {', '.join(known)}" if known else "no members"
        return DecodeError(expected, "an unknown member")

    def missing(self, value: Mapping[str, object]) -> DecodeError | None:
        """Return the error for the first required member that an object lacks."""
        for member in self.fields:
            if member.required and not member.given(value):
                found = "null" if any(name in value for name in member.names) else "nothing"
                return DecodeError(member.expected, found).in_member(member.names[0])
        return None

    def conflict(self, value: Mapping[str, object]) -> DecodeError | None:
        """Return the error for two names of one field with unlike values, or for two members of a oneof."""
        oneofs: dict[str, str] = {}
        for member in self.fields:
            given = member.given(value)
            for name in given[1:]:
                if not _same(value[name], value[given[0]]):
                    return DecodeError(f"the same value as {given[0]}", "another").in_member(name)
            if given and member.oneof and oneofs.setdefault(member.oneof, given[0]) != given[0]:
                return DecodeError(f"nothing beside {oneofs[member.oneof]}", "both").in_member(given[0])
        return None

    def table(self) -> dict[str, tuple[Writer, int]]:
        """Return the writer of each member and the bit that its field has in a set; a constant has no bit."""
        table = {name: (each.write, 1 << bit) for bit, each in enumerate(self.fields) for name in each.names}
        if self.constant:
            table[self.constant[0]] = (constant_member(self.constant[1]), 0)
        return table

    def having(self, is_so: Callable[[Member], object]) -> int:
        """Return the set of the fields of which something is so."""
        return sum(1 << bit for bit, member in enumerate(self.fields) if is_so(member))

    def oneofs(self) -> tuple[int, ...]:
        """Return the set of the fields of each oneof."""
        names = dict.fromkeys(member.oneof for member in self.fields if member.oneof)
        return tuple(sum(1 << bit for bit, each in enumerate(self.fields) if each.oneof == name) for name in names)


def _same(one: object, other: object) -> bool:
    """Return whether two JSON values are equal and of one type, since Python takes True for 1."""
    return type(one) is type(other) and one == other


def object_writer(members: Members) -> Writer:
    """Return the writer of an object with the given members."""
    table, groups, lenient = members.table(), members.oneofs(), members.lenient
    constant = members.constant[1] if members.constant else None
    required = members.having(lambda member: member.required)
    nullable = members.having(lambda member: member.nullable)

    def write(value: object, depth: int) -> bytes:
        if type(value) is not dict:
            raise unfit(members.expected, value)
        parts: list[bytes] = []
        seen = twice = 0
        name = ""
        try:
            for name, item in value.items():
                try:
                    field, bit = table[name]
                except KeyError:
                    if lenient:
                        continue
                    raise members.unknown() from None
                if not bit and item == constant:
                    continue
                if item is None and not bit & nullable:
                    continue
                if seen & bit:
                    twice |= bit
                    continue
                seen |= bit
                parts.append(field(item, depth))
        except DecodeError as error:
            error.in_member(name)
            raise
        for group in groups:
            chosen = seen & group
            twice |= chosen & (chosen - 1)
        if twice and (conflict := members.conflict(value)):
            raise conflict
        if seen & required != required and (missing := members.missing(value)):
            raise missing
        return b"".join(parts)

    return write
