"""The descriptor set of the contracts, as the gateway loads it, for the tests of the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

DESCRIPTORS = Path(__file__).parents[3] / "gen" / "llamastack" / "descriptors.binpb"


def files() -> list[descriptor_pb2.FileDescriptorProto]:
    """Return every file of the contracts with its comments, in the order of imports."""
    return list(descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file)


def pool_of(protos: list[descriptor_pb2.FileDescriptorProto]) -> DescriptorPool:
    """Return a new pool of files, each after its imports."""
    pool = DescriptorPool()
    for file in protos:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def messages(pool: DescriptorPool, protos: list[descriptor_pb2.FileDescriptorProto]) -> Iterator[Descriptor]:
    """Yield the message types of files that belong to the project, nested ones after their parents, map entries not."""
    for file in protos:
        if file.package.startswith("llamastack."):
            for name in file.message_type:
                yield from _with_nested(pool.FindMessageTypeByName(f"{file.package}.{name.name}"))


def _with_nested(message: Descriptor) -> Iterator[Descriptor]:
    if not message.GetOptions().map_entry:
        yield message
        for nested in message.nested_types:
            yield from _with_nested(nested)


FILES = files()
POOL = pool_of(FILES)
MESSAGES = list(messages(POOL, FILES))


def scratch(**fields: tuple[int, str]) -> Descriptor:
    """Return a proto3 message type made of singular scalar fields, each a type constant and a label, for one test."""
    file = descriptor_pb2.FileDescriptorProto(name="scratch.proto", package="scratch", syntax="proto3")
    message = file.message_type.add(name="Scratch")
    for number, (name, (kind, label)) in enumerate(fields.items(), start=1):
        value = FieldDescriptor.LABEL_REPEATED if label == "repeated" else FieldDescriptor.LABEL_OPTIONAL
        message.field.add(name=name, number=number, type=kind, label=value)
    return pool_of([file]).FindMessageTypeByName("scratch.Scratch")
