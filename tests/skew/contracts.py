"""The contracts of a version as they were, and clients built from them alone."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import grpc.aio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from mesh.contracts import file_set
from mesh.errors import from_rpc
from tests.skew.exchanges import RECORDED

SECONDS: Final = 30.0
SILENCE_S: Final = 2.0
"""Seconds of a stream that follows something; what has told nothing by then is silent."""
FILE: Final = "contracts.binpb.gz"


def write(version: str) -> None:
    """Keep the contracts of today, comments left out, as those of a version."""
    found = FileDescriptorSet()
    found.CopyFrom(file_set())
    for file in found.file:
        file.ClearField("source_code_info")
    (RECORDED / version).mkdir(exist_ok=True, parents=True)
    (RECORDED / version / FILE).write_bytes(gzip.compress(found.SerializeToString(), mtime=0))


def read(version: str) -> FileDescriptorSet:
    """Return the files of a version's contracts, dependencies first."""
    return FileDescriptorSet.FromString(gzip.decompress((RECORDED / version / FILE).read_bytes()))


def pool(version: str) -> DescriptorPool:
    """Return a pool with a version's contracts and nothing else."""
    made = DescriptorPool()
    for file in read(version).file:
        made.AddSerializedFile(file.SerializeToString())
    return made


class OldClient:
    """Calls RPCs with messages as bytes and reads the answers by the contracts of a version."""

    def __init__(self, channel: grpc.aio.Channel, contracts: DescriptorPool) -> None:
        self._channel = channel
        self._contracts = contracts

    async def call(self, path: str, requests: Sequence[bytes]) -> tuple[str, Any]:
        """Return how a call ended, and its answer as JSON, the first one of a stream."""
        service, _, method = path.strip("/").partition("/")
        rpc = self._contracts.FindServiceByName(service).methods_by_name[method]
        try:
            message = await self._first(rpc, path, requests)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name} {from_rpc(error).reason_name()}", None
        if message is None:
            return "OK", None
        return "OK", MessageToDict(message, preserving_proto_field_name=True, descriptor_pool=self._contracts)

    async def _first(self, rpc: MethodDescriptor, path: str, requests: Sequence[bytes]) -> Message | None:
        streams, follows = rpc.server_streaming, rpc.name.startswith("Follow")
        kind = f"{'stream' if rpc.client_streaming else 'unary'}_{'stream' if streams else 'unary'}"
        start = getattr(self._channel, kind)(path, response_deserializer=GetMessageClass(rpc.output_type).FromString)
        call = start(
            _each(requests) if rpc.client_streaming else requests[0], timeout=SILENCE_S if follows else SECONDS
        )
        if not streams:
            message: Message = await call
            return message
        try:
            return await anext(aiter(call), None)
        except grpc.aio.AioRpcError as error:
            if follows and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                return None
            raise
        finally:
            call.cancel()


async def _each(requests: Sequence[bytes]) -> AsyncIterator[bytes]:
    for request in requests:
        yield request


def shape(version: str, contracts: DescriptorPool) -> Iterator[str]:
    """Yield a line for everything of a version's contracts that clients know by number, name or type, as it is now.

    What a pool no longer has, or has otherwise, gives another line or none.
    """
    for file in read(version).file:
        if file.package.startswith("llamastack."):
            for enum in file.enum_type:
                yield from _enum(contracts, f"{file.package}.{enum.name}")
            for message in file.message_type:
                yield from _message(contracts, f"{file.package}.{message.name}", message)
            for service in file.service:
                yield from _service(contracts, f"{file.package}.{service.name}")


def _enum(contracts: DescriptorPool, name: str) -> Iterator[str]:
    with suppress(KeyError):
        yield from (f"{name}.{value.name} = {value.number}" for value in contracts.FindEnumTypeByName(name).values)


def _message(contracts: DescriptorPool, name: str, proto: DescriptorProto) -> Iterator[str]:
    with suppress(KeyError):
        for field in contracts.FindMessageTypeByName(name).fields:
            kind = field.message_type or field.enum_type
            among = field.containing_oneof.name if field.containing_oneof else ""
            told = (field.type, kind.full_name if kind else "", field.is_repeated, field.json_name, among)
            yield f"{name}.{field.name} = {field.number} {told}"
    for enum in proto.enum_type:
        yield from _enum(contracts, f"{name}.{enum.name}")
    for nested in proto.nested_type:
        yield from _message(contracts, f"{name}.{nested.name}", nested)


def _service(contracts: DescriptorPool, name: str) -> Iterator[str]:
    with suppress(KeyError):
        for rpc in contracts.FindServiceByName(name).methods:
            streams = (rpc.client_streaming, rpc.server_streaming)
            yield f"{name}.{rpc.name}: {rpc.input_type.full_name} -> {rpc.output_type.full_name} {streams}"
