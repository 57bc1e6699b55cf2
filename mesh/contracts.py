"""The descriptors of all contracts, as they were built beside the stubs.

A process imports stubs for the services that it has or calls, and generated code registers messages but not the
services over them; so what is said about RPCs is looked up here and not in the pool of what happens to be imported.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

# the options that contracts carry are known once their modules are loaded
from buf.validate import validate_pb2
from llamastack.access.v1 import access_pb2

ROOT: Final = "llamastack"
RULES: Final = (validate_pb2.field, validate_pb2.oneof, validate_pb2.message)
ACTION: Final = access_pb2.action


@cache
def file_set() -> FileDescriptorSet:
    """Return the files of all contracts and of what they import, comments included, dependencies first."""
    return FileDescriptorSet.FromString((files(ROOT) / "descriptors.binpb").read_bytes())


@cache
def contracts() -> DescriptorPool:
    """Return a pool with all contracts in it."""
    pool = DescriptorPool()
    for file in file_set().file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def pools() -> tuple[DescriptorPool, DescriptorPool]:
    """Return where to look for a descriptor: the contracts, then what else this process has imported."""
    return contracts(), descriptor_pool.Default()
