"""A service with one RPC of each of the four kinds, declared at run time over the messages of the inference contract.

The contracts themselves have no RPC whose requests stream, and the mesh has to treat those alike.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions

from llamastack.access.v1 import access_pb2
from llamastack.common.v1.content_pb2 import Content
from llamastack.inference.v1 import inference_pb2
from llamastack.inference.v1.inference_pb2 import CompletionRequest, CompletionResponseStreamChunk

SERVICE = "llamastack.kinds.v1.Kinds"
KINDS = {"UnaryUnary": (False, False), "UnaryStream": (False, True), "StreamUnary": (True, False)}
KINDS["StreamStream"] = (True, True)
NAMES = tuple(KINDS)

Item = TypeVar("Item")
Behaviour = Callable[[list[CompletionRequest]], Awaitable[None]]
"""What a test wants to happen in the servicer once it has read its requests."""


def request(model: str) -> CompletionRequest:
    """Return a valid request."""
    return CompletionRequest(model=model, content=Content(text="hi"))


@cache
def declare() -> None:
    """Put the service into the descriptor pool of this process."""
    file = FileDescriptorProto(name="llamastack/kinds/v1/kinds.proto", package="llamastack.kinds.v1", syntax="proto3")
    file.dependency.append(inference_pb2.DESCRIPTOR.name)
    file.dependency.append(access_pb2.DESCRIPTOR.name)
    service = file.service.add(name="Kinds")
    for name, (client, server) in KINDS.items():
        rpc = service.method.add(name=name, client_streaming=client, server_streaming=server)
        rpc.input_type = f".{CompletionRequest.DESCRIPTOR.full_name}"
        rpc.output_type = f".{CompletionResponseStreamChunk.DESCRIPTOR.full_name}"
        options = MethodOptions()
        options.Extensions[access_pb2.action] = access_pb2.ACTION_USE
        rpc.options.CopyFrom(options)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())


class Kinds:
    """Answers with the models of the requests joined, cut into letters where it streams."""

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self._behaviour = behaviour

    async def _models(self, requests: Any) -> str:
        read = [requests] if isinstance(requests, CompletionRequest) else [message async for message in requests]
        if self._behaviour is not None:
            await self._behaviour(read)
        return "".join(message.model for message in read)

    async def one(self, requests: Any, context: Any) -> CompletionResponseStreamChunk:
        """Answer with one message."""
        return CompletionResponseStreamChunk(delta=await self._models(requests))

    async def many(self, requests: Any, context: Any) -> AsyncIterator[CompletionResponseStreamChunk]:
        """Answer with a message per letter."""
        for letter in await self._models(requests):
            yield CompletionResponseStreamChunk(delta=letter)


def add_kinds(servicer: Kinds, server: grpc.aio.Server) -> None:
    """Add the service to a server, as generated code does."""
    declare()
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
    for name, (client, streams) in KINDS.items():
        kind = f"{'stream' if client else 'unary'}_{'stream' if streams else 'unary'}_rpc_method_handler"
        handlers[name] = getattr(grpc, kind)(
            servicer.many if streams else servicer.one,
            request_deserializer=CompletionRequest.FromString,
            response_serializer=CompletionResponseStreamChunk.SerializeToString,
        )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


async def call(channel: grpc.aio.Channel, name: str, *requests: CompletionRequest, **options: Any) -> str:
    """Call an RPC with its requests (the first one alone where they don't stream); return the answer joined."""
    client, streams = KINDS[name]
    kind = f"{'stream' if client else 'unary'}_{'stream' if streams else 'unary'}"
    start = getattr(channel, kind)(
        f"/{SERVICE}/{name}",
        request_serializer=CompletionRequest.SerializeToString,
        response_deserializer=CompletionResponseStreamChunk.FromString,
    )
    made = start(aiter_of(*requests) if client else requests[0], **options)
    if streams:
        return "".join([chunk.delta async for chunk in made])
    answer: CompletionResponseStreamChunk = await made
    return answer.delta


async def aiter_of(*items: Item) -> AsyncIterator[Item]:
    """Yield the items."""
    for item in items:
        yield item
