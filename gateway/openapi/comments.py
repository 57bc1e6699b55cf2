"""The comments of the contracts, found by what they stand at.

Knows nothing about JSON or HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from google.protobuf.descriptor import EnumValueDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

Path = tuple[int, ...]
Named = tuple[Path, str]

# numbers of the fields of FileDescriptorProto, DescriptorProto, EnumDescriptorProto and ServiceDescriptorProto: the
# places of comments are paths of these numbers and of indices
FILE_MESSAGES, FILE_ENUMS, FILE_SERVICES = 4, 5, 6
MESSAGE_FIELDS, MESSAGE_MESSAGES, MESSAGE_ENUMS, MESSAGE_ONEOFS = 2, 3, 4, 8
ENUM_VALUES = 2
SERVICE_METHODS = 2


class HasName(Protocol):
    """Anything of a contract that has a full name."""

    @property
    def full_name(self) -> str: ...


class Comments:
    """The leading comments of a descriptor set; without source info there are none.

    A comment comes unwrapped: one line per paragraph, empty lines between them. Where nothing is said it is "".
    """

    def __init__(self, files: FileDescriptorSet) -> None:
        self._texts: dict[str, str] = {}
        for file in files.file:
            self._texts.update(_comments(file))

    def of(self, element: HasName) -> str:
        """Return the comment of a message, field, oneof, enum, service or method."""
        return self.at(element.full_name)

    def at(self, full_name: str) -> str:
        """Return the comment of what has that full name."""
        return self._texts.get(full_name, "")

    def of_value(self, value: EnumValueDescriptor) -> str:
        """Return the comment of an enum's value."""
        return self._texts.get(f"{value.type.full_name}.{value.name}", "")


def _comments(file: FileDescriptorProto) -> dict[str, str]:
    """Return the comments of a file by the full name of what they stand at."""
    names = dict(_elements(file))
    return {
        names[path]: _unwrapped(location.leading_comments)
        for location in file.source_code_info.location
        if location.leading_comments and (path := tuple(location.path)) in names
    }


def _elements(file: FileDescriptorProto) -> Iterator[Named]:
    """Yield place and full name of everything in a file."""
    for index, message in enumerate(file.message_type):
        yield from _message((FILE_MESSAGES, index), file.package, message)
    for index, enum in enumerate(file.enum_type):
        yield from _enum((FILE_ENUMS, index), file.package, enum)
    for index, service in enumerate(file.service):
        path, name = (FILE_SERVICES, index), f"{file.package}.{service.name}"
        yield path, name
        for number, method in enumerate(service.method):
            yield (*path, SERVICE_METHODS, number), f"{name}.{method.name}"


def _message(path: Path, scope: str, message: DescriptorProto) -> Iterator[Named]:
    """Yield place and full name of a message and of everything in it."""
    name = f"{scope}.{message.name}"
    yield path, name
    for index, field in enumerate(message.field):
        yield (*path, MESSAGE_FIELDS, index), f"{name}.{field.name}"
    for index, oneof in enumerate(message.oneof_decl):
        yield (*path, MESSAGE_ONEOFS, index), f"{name}.{oneof.name}"
    for index, enum in enumerate(message.enum_type):
        yield from _enum((*path, MESSAGE_ENUMS, index), name, enum)
    for index, nested in enumerate(message.nested_type):
        yield from _message((*path, MESSAGE_MESSAGES, index), name, nested)


def _enum(path: Path, scope: str, enum: EnumDescriptorProto) -> Iterator[Named]:
    """Yield place and full name of an enum and of its values."""
    name = f"{scope}.{enum.name}"
    yield path, name
    for index, value in enumerate(enum.value):
        # protobuf scopes a value beside its enum; under it, values of unlike enums are never mixed up
        yield (*path, ENUM_VALUES, index), f"{name}.{value.name}"


def _unwrapped(comment: str) -> str:
    """Return a comment with the lines of each paragraph joined."""
    paragraphs = "\n".join(line.strip() for line in comment.strip().splitlines()).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs)
