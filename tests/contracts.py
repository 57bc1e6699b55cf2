"""The descriptor set of the contracts, as the gateway loads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import DescriptorPool

DESCRIPTORS = Path(__file__).parents[1] / "gen" / "llamastack" / "descriptors.binpb"


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
