"""The gateway's own HTTP/2 client against the gRPC runtime's server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import grpc
import grpc.aio
import pytest

from gateway import lean
from gateway.http2 import connection, frames
from gateway.http2.call import Http2Call
from gateway.http2.channel import Http2Channel
from gateway.http2.connection import Connection
from gateway.http2.deadlines import Deadlines
from gateway.lean import LeanUpstream, LeanUpstreams
from gateway.upstream import Call, MessageStream
from mesh.client import Client, ClientConfig
from mesh.errors import BackendUnavailable, Cancelled, DeadlineExceeded, RequestTooLarge
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
        self.connections: set[str] = set()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        if details.method == "/t.T/Count":
            return grpc.unary_stream_rpc_method_handler(self._count)
        return grpc.unary_unary_rpc_method_handler(self._unary)

    async def _unary(self, request: bytes, context: Any) -> bytes:
        self.connections.add(context.peer())
        return await self._answer(request)

    async def _count(self, request: bytes, context: object) -> AsyncIterator[bytes]:
        for _ in range(200):
            self.sent += 1
            yield request


@asynccontextmanager
async def serving(service: Service, port: int = 0, *options: tuple[str, int]) -> AsyncIterator[int]:
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0), *options])
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
    return path, request, (("x-bin-free", "text"), ("x-blob-bin", "\x01")), timeout


async def drained(stream: MessageStream) -> int:
    """Read a stream to its end and return how many messages came."""
    read = 0
    while messages := await stream.read():
        read += len(messages)
    return read


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


async def test_connections_that_reach_their_age_lose_no_call() -> None:
    ages = (("grpc.max_connection_age_ms", 300), ("grpc.max_connection_age_grace_ms", 10_000))
    counting = Service(echo)
    done = asyncio.Event()

    async def unary_calls(service: LeanUpstream) -> int:
        answered = 0
        while not done.is_set():
            assert await service.unary(call(b"x")) == b"x"
            answered += 1
        return answered

    async def streams(service: LeanUpstream) -> set[int]:
        read = set()
        while len(counting.connections) < 5:
            running, messages = service.stream(call(bytes(16 * 1024), "/t.T/Count")), 0
            while some := await running.read():
                messages += len(some)
                await asyncio.sleep(0.005)
            read.add(messages)
        return read

    async with serving(counting, 0, *ages) as port, upstream(port) as service:
        unary = [asyncio.create_task(unary_calls(service)) for _ in range(8)]
        streamed = await asyncio.gather(*(streams(service) for _ in range(4)))
        done.set()
        answered = await asyncio.gather(*unary)
    assert streamed == [{200}] * 4
    assert min(answered) > 0


async def test_more_calls_than_a_connection_takes_at_once_wait_their_turn() -> None:
    opened = asyncio.Event()

    async def answer(request: bytes) -> bytes:
        await opened.wait()
        return request

    async with serving(Service(answer), 0, ("grpc.max_concurrent_streams", 5)) as port, upstream(port) as service:
        calls = [asyncio.create_task(service.unary(call(bytes([index])))) for index in range(40)]
        await asyncio.sleep(0.1)
        opened.set()
        assert await asyncio.gather(*calls) == [bytes([index]) for index in range(40)]


async def test_a_service_that_dies_in_a_stream_ends_it_with_an_error() -> None:
    async with AsyncExitStack() as stack:
        async with serving(Service(echo)) as port:
            service = await stack.enter_async_context(upstream(port))
            stream = service.stream(call(bytes(64 * 1024), "/t.T/Count"))
            assert await stream.read()
        with pytest.raises(BackendUnavailable):
            await drained(stream)


class Goodbye(StrEnum):
    """When a server that leaves says so: before it ends a call, when the client has read that end, or never."""

    FIRST = "first"
    LAST = "last"
    NEVER = "never"


GOODBYE = frames.frame(frames.GOAWAY, 0, 0, frames.LARGEST_WINDOW.to_bytes(4, "big") + bytes(4))
ASKED = frames.frame(frames.PING, 0, 0, bytes(8))


@dataclass
class Leaving:
    """A peer that cancels its first call and says goodbye on the connection, and answers from then on.

    Attributes:
        may_end: set for it to cancel the call.
        ended: set when the client has read that.
    """

    trailers: tuple[tuple[str, str], ...]
    goodbye: Goodbye
    port: int = 0
    bodies: list[bytes] = field(default_factory=list)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection until it ends."""
        await reader.readexactly(len(frames.PREFACE))
        writer.write(frames.settings({}))
        with suppress(asyncio.IncompleteReadError):
            while True:
                word, flags, stream = frames.unpack_start(await reader.readexactly(frames.START_BYTES), 0)
                payload = await reader.readexactly(word >> 8)
                if word & 255 == frames.PING and flags & frames.ACK:
                    writer.write(GOODBYE if self.goodbye is Goodbye.LAST else b"")
                    self.ended.set()
                elif word & 255 == frames.DATA and flags & frames.END_STREAM:
                    self.bodies.append(payload)
                    writer.write(await self._answer(stream, payload))
        writer.close()
        await writer.wait_closed()

    async def _answer(self, stream: int, payload: bytes) -> bytes:
        if len(self.bodies) > 1:
            head = frames.header_frames(stream, block((":status", "200")))
            return head + frames.frame(frames.DATA, 0, stream, payload) + ending(stream, ("grpc-status", "0"))
        await self.may_end.wait()
        end = ending(stream, (":status", "200"), ("grpc-status", "1"), *self.trailers)
        return (GOODBYE if self.goodbye is Goodbye.FIRST else b"") + end + ASKED


@asynccontextmanager
async def leaving(
    *trailers: tuple[str, str], goodbye: Goodbye = Goodbye.FIRST, at_once: bool = True
) -> AsyncIterator[Leaving]:
    """Serve such a peer, which waits until it may end the call unless that is at once."""
    peer = Leaving(trailers, goodbye)
    if at_once:
        peer.may_end.set()
    speaking: list[Any] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        speaking.append(asyncio.current_task())
        await peer.speak(reader, writer)

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        peer.port = server.sockets[0].getsockname()[1]
        yield peer
        # the caller has closed its connections
        await asyncio.gather(*speaking)


def block(*pairs: tuple[str, str]) -> bytes:
    return b"".join(frames.literal(name, value.encode()) for name, value in pairs)


def ending(stream: int, *pairs: tuple[str, str]) -> bytes:
    return frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, stream, block(*pairs))


HELLO = b"\0\0\0\0\5hello"
CANCELLED = ("grpc-message", "CANCELLED")


@pytest.mark.parametrize("goodbye", [Goodbye.FIRST, Goodbye.LAST])
async def test_a_call_that_a_leaving_server_drops_unseen_goes_to_the_next_one(goodbye: Goodbye) -> None:
    async with leaving(CANCELLED, goodbye=goodbye) as peer, upstream(peer.port) as service:
        assert await service.unary(call(b"hello")) == b"hello"
    assert peer.bodies == [HELLO] * 2


@pytest.mark.parametrize("goodbye", [Goodbye.FIRST, Goodbye.LAST])
async def test_a_stream_that_a_leaving_server_drops_unseen_goes_to_the_next_one(goodbye: Goodbye) -> None:
    async with leaving(CANCELLED, goodbye=goodbye) as peer, upstream(peer.port) as service:
        stream = service.stream(call(b"hello"))
        assert (await stream.read(), await stream.read()) == ([b"hello"], ())
    assert peer.bodies == [HELLO] * 2


async def test_the_goodbye_is_heard_of_a_server_whose_name_leads_elsewhere_by_now() -> None:
    async with leaving(CANCELLED, goodbye=Goodbye.LAST, at_once=False) as peer:
        loop = asyncio.get_running_loop()
        _, reached = await loop.create_connection(lambda: Connection("t"), "127.0.0.1", peer.port)
        await reached.ready
        dropped = Http2Call(One(reached, loop), "/t.T/Do", b"hello", (), 30.0)
        waiting = asyncio.create_task(dropped.whole())
        await until(lambda: bool(peer.bodies))
        reached.retire()
        peer.may_end.set()
        with pytest.raises(grpc.aio.AioRpcError):
            await waiting
    assert dropped.refused


class One:
    """Gives every call the same connection."""

    largest = LARGEST
    reached = True

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self.loop = loop
        self.deadlines = Deadlines(loop)

    def begin(self, call: Http2Call) -> bool:
        self._connection.begin(call)
        return True

    def connect(self) -> asyncio.Task[None]:
        raise AssertionError("there is a connection")


async def test_a_stream_that_is_cancelled_before_it_is_sent_anew_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped, sent_anew = asyncio.Event(), asyncio.Event()

    async def wait(attempt: int) -> None:
        dropped.set()
        await sent_anew.wait()

    monkeypatch.setattr(lean, "_back_off", wait)
    async with leaving(CANCELLED) as peer, upstream(peer.port) as service:
        stream = service.stream(call(b"hello"))
        reading = asyncio.create_task(drained(stream))
        await dropped.wait()
        stream.cancel()
        sent_anew.set()
        with pytest.raises(Cancelled):
            await reading
    assert peer.bodies == [HELLO]


async def test_a_cancelled_call_that_waits_for_a_goodbye_ends_with_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "FAREWELL_S", 3600.0)
    async with leaving(CANCELLED, goodbye=Goodbye.NEVER) as peer:
        async with upstream(peer.port) as service:
            waiting = asyncio.create_task(service.unary(call(b"hello", timeout=None)))
            await peer.ended.wait()
        with pytest.raises(BackendUnavailable):
            await waiting


@pytest.mark.parametrize(
    "trailers",
    [(("grpc-message", "CANCELLED"), ("grpc-status-details-bin", "CAE")), (("grpc-message", "stopped"),)],
    ids=["with details", "with a message"],
)
async def test_a_call_that_a_leaving_server_ends_itself_is_not_repeated(trailers: tuple[tuple[str, str], ...]) -> None:
    async with leaving(*trailers) as peer, upstream(peer.port) as service:
        with pytest.raises(Cancelled):
            await service.unary(call(b"hello"))
    assert peer.bodies == [HELLO]


@pytest.mark.parametrize(("goodbye", "seconds"), [(Goodbye.FIRST, 0.0), (Goodbye.NEVER, 0.05)])
async def test_a_call_that_is_cancelled_long_after_a_goodbye_or_without_one_is_not_repeated(
    goodbye: Goodbye, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "FAREWELL_S", seconds)
    async with leaving(CANCELLED, goodbye=goodbye) as peer, upstream(peer.port) as service:
        with pytest.raises(BackendUnavailable):
            await service.unary(call(b"hello"))
    assert peer.bodies == [HELLO]
