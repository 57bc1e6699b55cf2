"""A gRPC service that has its answers ready: ``python -m bench.gateways.canned`` prints its port and serves.

It costs as little as a service on the same runtime can, and the same for every gateway. It takes traces as well, and
forgets them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio

from bench.gateways.bodies import CHAT, STREAM, answer, deltas

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_DELTAS = deltas()


class _Canned(grpc.GenericRpcHandler):
    def __init__(self) -> None:
        self._handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            CHAT: grpc.unary_unary_rpc_method_handler(_answer),
            STREAM: grpc.unary_stream_rpc_method_handler(_stream),
            TRACES: grpc.unary_unary_rpc_method_handler(_nothing),
        }

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """Return what answers a method; requests and responses are bytes."""
        return self._handlers.get(details.method)


async def _answer(request: bytes, context: object) -> bytes:
    return answer(request)


async def _nothing(request: bytes, context: object) -> bytes:
    return b""


async def _stream(request: bytes, context: object) -> AsyncIterator[bytes]:
    for delta in _DELTAS:
        yield delta


async def _serve() -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Canned(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve())
