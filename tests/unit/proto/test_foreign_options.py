"""The foreign options that `proto/` declares are the published ones, as far as they are declared."""

from __future__ import annotations

from typing import Any

import pytest
from google.api import annotations_pb2, field_behavior_pb2, http_pb2, httpbody_pb2
from google.protobuf import descriptor_pb2
from protovalidate._gen.buf.validate import validate_pb

from tests.contracts import FILES

DECLARED = {file.name: file for file in FILES if file.package in ("buf.validate", "google.api")}


def published(name: str) -> descriptor_pb2.FileDescriptorProto:
    """Return a file as the installed package of its publisher has it."""
    if name == "buf/validate/validate.proto":
        package: Any = validate_pb
        return descriptor_pb2.FileDescriptorProto.FromString(package.desc().proto.to_binary())
    modules = (annotations_pb2, field_behavior_pb2, http_pb2, httpbody_pb2)
    found = next(module.DESCRIPTOR for module in modules if name == module.DESCRIPTOR.name)
    return descriptor_pb2.FileDescriptorProto.FromString(found.serialized_pb)


def facts(file: descriptor_pb2.FileDescriptorProto) -> dict[str, tuple[object, ...]]:
    """Return every field, extension and enum value by its full name with what its wire form hangs on."""
    found: dict[str, tuple[object, ...]] = {}

    def enum(prefix: str, proto: descriptor_pb2.EnumDescriptorProto) -> None:
        found.update({f"{prefix}.{proto.name}.{value.name}": (value.number,) for value in proto.value})

    def message(prefix: str, proto: descriptor_pb2.DescriptorProto) -> None:
        name = f"{prefix}.{proto.name}"
        for field in proto.field:
            oneof = proto.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
            found[f"{name}.{field.name}"] = (*_field(field), oneof)
        for nested in proto.nested_type:
            message(name, nested)
        for nested_enum in proto.enum_type:
            enum(name, nested_enum)

    for each in file.message_type:
        message(file.package, each)
    for each_enum in file.enum_type:
        enum(file.package, each_enum)
    for extension in file.extension:
        found[f"{file.package}.{extension.name}"] = (*_field(extension), extension.extendee)
    return found


def _field(field: descriptor_pb2.FieldDescriptorProto) -> tuple[object, ...]:
    return (field.number, field.type, field.type_name, field.label == field.LABEL_REPEATED)


def test_the_foreign_options_are_declared() -> None:
    assert sorted(DECLARED) == [
        "buf/validate/validate.proto",
        "google/api/annotations.proto",
        "google/api/field_behavior.proto",
        "google/api/http.proto",
        "google/api/httpbody.proto",
    ]


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_what_is_declared_is_what_is_published(name: str) -> None:
    ours, theirs = facts(DECLARED[name]), facts(published(name))
    assert ours == {name: theirs.get(name) for name in ours}
