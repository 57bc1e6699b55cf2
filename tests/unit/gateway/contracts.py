"""The descriptor set of the contracts, as the gateway loads it, for the tests of the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files as grpc_tools_files
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_tools import protoc

DESCRIPTORS = Path(__file__).parents[3] / "gen" / "llamastack" / "descriptors.binpb"
SHAPES = Path(__file__).with_name("shapes.proto")


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


def shapes() -> list[descriptor_pb2.FileDescriptorProto]:
    """Compile the tests' own messages, `shapes.proto`, and return them with everything that they import."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "shapes.binpb"
        paths = [SHAPES.parent, DESCRIPTORS.parents[2] / "proto", grpc_tools_files("grpc_tools") / "_proto"]
        includes = [f"--proto_path={path}" for path in paths]
        code = protoc.main(["protoc", *includes, "--include_imports", f"--descriptor_set_out={out}", SHAPES.name])
        assert code == 0, "shapes.proto does not compile"
        return list(descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file)


FILES = files()
POOL = pool_of(FILES)
MESSAGES = list(messages(POOL, FILES))


@cache
def shape(name: str) -> Descriptor:
    """Return a message type of `shapes.proto`."""
    return _shapes_pool().FindMessageTypeByName(f"tests.shapes.v1.{name}")


@cache
def _shapes_pool() -> DescriptorPool:
    return pool_of(shapes())
