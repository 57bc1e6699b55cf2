"""Readers: closures that take one field off the wire and put its JSON value into the members of an object.

A reader starts behind the field's tag and returns the position behind the value. None checks that it stays within its
message: the message's own reader does so once at the end, since every overrun shows in the last position. Knows nothing
about descriptors.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any

from gateway.codec.errors import EncodeError
from gateway.codec.scalar import nonfinite_name
from gateway.codec.wire import Merging, merged, read_varint, skip

Members = dict[str, Any]
Reader = Callable[[bytes, int, Members], int]
ValueReader = Callable[[bytes, int, int], object]
Convert = Callable[[int], object]
Unpack = Callable[[bytes], object]
Readers = dict[int, Reader]

VALUE = "value"
KEY = "key"


class Split(Exception):
    """A message field or a oneof occurs more than once: the message is read again after its pieces are merged."""


class Shape:
    """What a message's reader has to know besides its fields.

    ``template`` holds the members that are written in any case. ``only`` is the member that is the whole value of an
    inline message, or "" for an object. ``oneofs`` are the member names of each oneof of an object, and ``copies`` the
    further names that a member is written under.
    """

    def __init__(self, template: Members, merging: Merging, only: str = "") -> None:
        self.template = template
        self.merging = merging
        self.only = only
        self.oneofs: tuple[frozenset[str], ...] = ()
        self.copies: tuple[tuple[str, str], ...] = ()


def message_reader(readers: Readers, shape: Shape) -> ValueReader:
    """Return the reader of a message's bytes from a position to an end; unknown fields are skipped."""
    template, merging, only = shape.template, shape.merging, shape.only
    finish = _finisher(shape)

    def read(buffer: bytes, position: int, end: int) -> object:
        start = position
        out = template.copy()
        try:
            while position < end:
                number = buffer[position]
                position += 1
                if number > 127:
                    number, position = read_varint(buffer, position - 1)
                try:
                    reader = readers[number]
                except KeyError:
                    position = skip(buffer, position, number)
                else:
                    position = reader(buffer, position, out)
            if finish is not None:
                finish(out)
        except Split:
            whole = merged(buffer[start:end], merging)
            return read(whole, 0, len(whole))
        if position != end:
            raise EncodeError("a value that runs past the end of its message")
        return out.get(only) if only else out

    return read


def _finisher(shape: Shape) -> Callable[[Members], None] | None:
    """Return what is left to do for an object when all its fields have been read, or None for nothing."""
    oneofs, copies = shape.oneofs, shape.copies
    if not oneofs and not copies:
        return None

    def finish(out: Members) -> None:
        for oneof in oneofs:
            if len(oneof & out.keys()) > 1:
                raise Split
        for name, copy in copies:
            if name in out:
                out[copy] = out[name]

    return finish


def varint_reader(name: str, convert: Convert) -> Reader:
    """Return a reader of integers, booleans and enums."""
    small = tuple(map(convert, range(128)))

    def read(buffer: bytes, position: int, out: Members) -> int:
        number = buffer[position]
        if number < 128:
            out[name] = small[number]
            return position + 1
        number, position = read_varint(buffer, position)
        out[name] = convert(number)
        return position

    return read


def enum_reader(name: str, convert: Convert) -> Reader:
    """Return a reader of enums that leaves out the zero value."""
    small = tuple(map(convert, range(128)))

    def read(buffer: bytes, position: int, out: Members) -> int:
        number = buffer[position]
        position += 1
        if number > 127:
            number, position = read_varint(buffer, position - 1)
            out[name] = convert(number)
        elif number:
            out[name] = small[number]
        else:
            out.pop(name, None)
        return position

    return read


def double_reader(name: str) -> Reader:
    """Return a reader of doubles; those without a numeral become their names."""
    unpack = Struct("<d").unpack_from

    def read(buffer: bytes, position: int, out: Members) -> int:
        (number,) = unpack(buffer, position)
        out[name] = number if number - number == 0 else nonfinite_name(number)
        return position + 8

    return read


def fixed_reader(name: str, layout: Struct, convert: Callable[[float], object]) -> Reader:
    """Return a reader of numbers of a fixed size."""
    unpack, size = layout.unpack_from, layout.size

    def read(buffer: bytes, position: int, out: Members) -> int:
        out[name] = convert(unpack(buffer, position)[0])
        return position + size

    return read


def string_reader(name: str) -> Reader:
    """Return a reader of strings."""

    def read(buffer: bytes, position: int, out: Members) -> int:
        size = buffer[position]
        position += 1
        if size > 127:
            size, position = read_varint(buffer, position - 1)
        stop = position + size
        out[name] = buffer[position:stop].decode()
        return stop

    return read


def bytes_reader(name: str, convert: Unpack) -> Reader:
    """Return a reader of bytes and of whatever else is made of a payload alone."""

    def read(buffer: bytes, position: int, out: Members) -> int:
        size, position = read_varint(buffer, position)
        stop = position + size
        out[name] = convert(buffer[position:stop])
        return stop

    return read


def submessage_reader(name: str, value: ValueReader) -> Reader:
    """Return a reader of a singular message field."""

    def read(buffer: bytes, position: int, out: Members) -> int:
        size = buffer[position]
        position += 1
        if size > 127:
            size, position = read_varint(buffer, position - 1)
        if out.get(name) is not None:
            raise Split
        stop = position + size
        out[name] = value(buffer, position, stop)
        return stop

    return read


def items_of(out: Members, name: str) -> list[object]:
    """Return the list of a repeated member; a new one in place of none or of a template's empty tuple."""
    items: list[object] | None = out.get(name)
    if not items:
        items = out[name] = []
    return items


def item_reader(name: str, single: Reader) -> Reader:
    """Return a reader of one item of a repeated field, from the reader of a singular one that puts it into VALUE."""

    def read(buffer: bytes, position: int, out: Members) -> int:
        item: Members = {}
        position = single(buffer, position, item)
        items_of(out, name).append(item[VALUE])
        return position

    return read


def message_item_reader(name: str, value: ValueReader) -> Reader:
    """Return a reader of one item of a repeated message field."""

    def read(buffer: bytes, position: int, out: Members) -> int:
        size = buffer[position]
        position += 1
        if size > 127:
            size, position = read_varint(buffer, position - 1)
        stop = position + size
        items = out.get(name)
        if not items:
            items = out[name] = []
        items.append(value(buffer, position, stop))
        return stop

    return read


def packed_varint_reader(name: str, convert: Convert) -> Reader:
    """Return a reader of packed integers, booleans and enums."""

    def read(buffer: bytes, position: int, out: Members) -> int:
        size, position = read_varint(buffer, position)
        items = items_of(out, name)
        stop = position + size
        while position < stop:
            number, position = read_varint(buffer, position)
            items.append(convert(number))
        if position != stop:
            raise EncodeError("a packed value that runs past the end of its field")
        return position

    return read


def packed_fixed_reader(name: str, layout: Struct, convert: Callable[[float], object]) -> Reader:
    """Return a reader of packed numbers of a fixed size."""

    def read(buffer: bytes, position: int, out: Members) -> int:
        size, position = read_varint(buffer, position)
        stop = position + size
        if size % layout.size or stop > len(buffer):
            raise EncodeError("a packed value that runs past the end of its field")
        items_of(out, name).extend(convert(number) for (number,) in layout.iter_unpack(buffer[position:stop]))
        return stop

    return read


def pack_reader(name: str, convert: Unpack) -> Reader:
    """Return a reader of packed numbers that are converted all at once; pieces of them are merged first."""

    def read(buffer: bytes, position: int, out: Members) -> int:
        if out.get(name):
            raise Split
        size, position = read_varint(buffer, position)
        stop = position + size
        out[name] = convert(buffer[position:stop])
        return stop

    return read


def lone_reader(buffer: bytes, position: int, out: Members) -> int:
    """Have an item outside of its pack merged into the pack."""
    raise Split


class Entry:
    """What the reader of a map's entries has to know.

    Attributes:
        whole: reads an entry in any form into an object of KEY and VALUE.
        key_tag: the tag of a key of strings, or 0 for other keys.
        values: the readers of the value by tag, which put it into VALUE.
        spell: spells a key as a member's name.
        empty: gives the value that is not there.
    """

    def __init__(self, whole: ValueReader, spell: Callable[[object], str], empty: Callable[[], object]) -> None:
        self.whole = whole
        self.spell = spell
        self.empty = empty
        self.key_tag = 0
        self.values: Readers = {}


def entry_reader(name: str, entry: Entry) -> Reader:
    """Return a reader of one entry of a map; the form in which all writers put entries is read without detours."""
    key_tag, values, whole = entry.key_tag, entry.values, entry.whole

    def read(buffer: bytes, position: int, out: Members) -> int:
        size = buffer[position]
        position += 1
        if size > 127:
            size, position = read_varint(buffer, position - 1)
        stop = position + size
        members = out.get(name)
        if not members:
            members = out[name] = {}
        if size > 2 and buffer[position] == key_tag and (length := buffer[position + 1]) < 128:
            behind = position + 2 + length
            if behind < stop and (value := values.get(buffer[behind])) is not None:
                pair: Members = {}
                if value(buffer, behind + 1, pair) == stop and VALUE in pair:
                    members[buffer[position + 2 : behind].decode()] = pair[VALUE]
                    return stop
        slow: Any = whole(buffer, position, stop)
        members[entry.spell(slow[KEY])] = slow[VALUE] if VALUE in slow else entry.empty()
        return stop

    return read
