"""The messages of `shapes.proto`, compiled when they are first asked for."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_tools import protoc

from tests.contracts import DESCRIPTORS, pool_of

SHAPES = Path(__file__).with_name("shapes.proto")


def shapes() -> list[descriptor_pb2.FileDescriptorProto]:
    """Compile the tests' own messages, `shapes.proto`, and return them with everything that they import."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "shapes.binpb"
        paths = [SHAPES.parent, DESCRIPTORS.parents[2] / "proto", files("grpc_tools") / "_proto"]
        includes = [f"--proto_path={path}" for path in paths]
        code = protoc.main(["protoc", *includes, "--include_imports", f"--descriptor_set_out={out}", SHAPES.name])
        assert code == 0, "shapes.proto does not compile"
        return list(descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file)


@cache
def shape(name: str) -> Descriptor:
    """Return a message type of `shapes.proto`."""
    return _shapes_pool().FindMessageTypeByName(f"tests.shapes.v1.{name}")


@cache
def _shapes_pool() -> DescriptorPool:
    return pool_of(shapes())
