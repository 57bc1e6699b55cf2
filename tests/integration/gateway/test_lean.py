"""The gateway's own HTTP/2 client against the gRPC runtime's server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import grpc.aio
import pytest

from gateway.http2.channel import Http2Channel
from gateway.lean import LeanUpstream, LeanUpstreams
from gateway.upstream import Call
from mesh.client import Client, ClientConfig
from mesh.errors import BackendUnavailable, DeadlineExceeded, RequestTooLarge
from tests.integration.gateway.conftest import until

LARGEST = 8 * 1024 * 1024

Answer = Callable[[bytes], Awaitable[bytes]]


async def echo(request: bytes) -> bytes:
    return request


class Service(grpc.GenericRpcHandler):
    """Answers every unary call with a function; ``/t.T/Count`` streams the request 200 times."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.sent = 0

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        if details.method == "/t.T/Count":
            return grpc.unary_stream_rpc_method_handler(self._count)
        return grpc.unary_unary_rpc_method_handler(self._unary)

    async def _unary(self, request: bytes, context: object) -> bytes:
        return await self._answer(request)

    async def _count(self, request: bytes, context: object) -> AsyncIterator[bytes]:
        for _ in range(200):
            self.sent += 1
            yield request


@asynccontextmanager
async def serving(service: Service, port: int = 0) -> AsyncIterator[int]:
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((service,))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(0)


@asynccontextmanager
async def upstream(port: int) -> AsyncIterator[LeanUpstream]:
    upstreams = LeanUpstreams(Client(ClientConfig(), (), lambda address: Http2Channel(address, LARGEST)), attempts=4)
    try:
        yield upstreams.at(f"127.0.0.1:{port}")
    finally:
        await upstreams.close()


def call(request: bytes = b"", path: str = "/t.T/Do", timeout: float | None = 30.0) -> Call:
    return Call(path, request, (("x-bin-free", "text"), ("x-blob-bin", "\x01")), timeout)


async def test_messages_larger_than_every_window_pass_both_ways() -> None:
    body = bytes(range(256)) * 20_000
    async with serving(Service(echo)) as port, upstream(port) as service:
        assert await service.unary(call(body)) == body


async def test_a_response_over_the_limit_is_refused() -> None:
    async def answer(request: bytes) -> bytes:
        return bytes(LARGEST + 1)

    async with serving(Service(answer)) as port, upstream(port) as service:
        with pytest.raises(RequestTooLarge):
            await service.unary(call())


async def test_a_stream_waits_for_its_reader() -> None:
    counting = Service(echo)
    size = 64 * 1024
    async with serving(counting) as port, upstream(port) as service:
        stream = service.stream(call(bytes(size), "/t.T/Count"))
        first = await stream.read()
        sent = counting.sent
        assert sent < 100
        read = len(first)
        while messages := await stream.read():
            read += len(messages)
        assert (read, counting.sent) == (200, 200)


async def test_a_call_that_takes_too_long_ends_with_its_deadline() -> None:
    async def answer(request: bytes) -> bytes:
        await until(lambda: False)
        return b""

    async with serving(Service(answer)) as port, upstream(port) as service:
        with pytest.raises(DeadlineExceeded):
            await service.unary(call(timeout=0.05))


async def test_without_a_service_a_call_fails_at_once() -> None:
    async with serving(Service(echo)) as port:
        pass
    async with upstream(port) as service:
        with pytest.raises(BackendUnavailable):
            await service.unary(call())
        async with serving(Service(echo), port):
            assert await service.unary(call(b"2")) == b"2"


async def test_a_restarted_service_is_found_again() -> None:
    async with AsyncExitStack() as stack:
        async with serving(Service(echo)) as port:
            service = await stack.enter_async_context(upstream(port))
            assert await service.unary(call(b"1")) == b"1"
        async with serving(Service(echo), port):
            assert await service.unary(call(b"2")) == b"2"
