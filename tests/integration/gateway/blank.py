"""A gRPC server over the real contracts that holds requests to their rules and gives each the plainest answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import grpc
import grpc.aio
import protovalidate
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from gateway.codec.plan import FieldPlan, plan_of
from gateway.contract import Contract

RULES = "against the rules: "


@asynccontextmanager
async def serve_blank(contract: Contract) -> AsyncIterator[str]:
    """Serve every RPC of a contract on loopback for the time of the block; give the address."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((_Handlers(contract),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, contract: Contract) -> None:
        self._rpcs = contract.rpcs

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        rpc = self._rpcs.get(details.method)
        if rpc is None:
            return None
        kind = GetMessageClass(rpc.input)

        async def check(raw: bytes, context: Any) -> None:
            try:
                protovalidate.validate(kind.FromString(raw))
            except protovalidate.ValidationError as error:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{RULES}{error}")

        async def unary(raw: bytes, context: Any) -> bytes:
            await check(raw, context)
            return answer(rpc.output).SerializeToString()

        async def stream(raw: bytes, context: Any) -> AsyncIterator[bytes]:
            await check(raw, context)
            for _ in range(2):
                yield answer(rpc.output).SerializeToString()

        if rpc.streams:
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(unary)


@cache
def answer(message: Descriptor) -> Message:
    """Return the plainest message whose parts are all there, since each of them may be the whole answer in REST."""
    made = plainest(message)
    for field in plan_of(message).fields:
        if field.message is not None and not field.repeated and not field.oneof:
            _set(made, field)
    return made


@cache
def plainest(message: Descriptor) -> Message:
    """Return a message with what is required set, and nothing else."""
    plan = plan_of(message)
    made = GetMessageClass(message)()
    for field in plan.fields[:1] if plan.union else plan.fields:
        if (field.required or plan.union) and not field.repeated:
            _set(made, field)
    return made


def _set(made: Any, field: FieldPlan) -> None:
    if field.message is not None:
        getattr(made, field.name).CopyFrom(plainest(field.message))
        getattr(made, field.name).SetInParent()
    elif field.descriptor.enum_type is not None:
        setattr(made, field.name, next(value.number for value in field.enum.values if value.number))
    elif field.presence:
        setattr(made, field.name, field.descriptor.default_value)
