"""A gRPC server over contracts of its own that gives back what it gets, and fails or hangs when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message_factory import GetMessageClass
from grpc_tools import protoc

from gateway.contract import Contract
from mesh.errors import BackendUnavailable, trailers

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
CODES = {code.value[0]: code for code in grpc.StatusCode}
TYPED = "typed"
"""The owner of requests that fail with the mesh's own error in the trailers."""


@cache
def descriptors() -> bytes:
    """Return the compiled test contracts."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "echo.binpb"
        arguments = [
            "protoc",
            f"--proto_path={HERE}",
            f"--proto_path={ROOT / 'proto'}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            "--include_imports",
            "--include_source_info",
            f"--descriptor_set_out={out}",
            "echo.proto",
        ]
        assert protoc.main(arguments) == 0
        return out.read_bytes()


def contract() -> Contract:
    """Return the test contracts as the gateway reads them."""
    return Contract(descriptors())


@dataclass
class Seen:
    """One call that arrived: the RPC's name, its request as a message, its metadata and the seconds it has left."""

    method: str
    request: Any
    metadata: dict[str, Any]
    time_remaining: float | None


@dataclass
class Echo:
    """The server's side of things, for tests to look at."""

    address: str = ""
    calls: list[Seen] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0

    @property
    def last(self) -> Seen:
        """The call that arrived last."""
        return self.calls[-1]


@asynccontextmanager
async def serve_echo() -> AsyncIterator[Echo]:
    """Serve the test contracts on loopback for the time of the block."""
    echo = Echo()
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((_Handlers(echo),))
    echo.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield echo
    finally:
        await server.stop(None)


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, echo: Echo) -> None:
        self._echo = echo
        self._rpcs = contract().rpcs

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        rpc = self._rpcs.get(details.method)
        if rpc is None:
            return None
        kind = GetMessageClass(rpc.input)

        def answer(request: Any, number: int) -> Any:
            if rpc.output is not rpc.input:
                return GetMessageClass(rpc.output)(content_type=request.name, data=b"%d\n" % number)
            return kind(name=request.name, sequence=number, items=request.items)

        async def begin(raw: bytes, context: Any) -> Any:
            request = kind.FromString(raw)
            metadata = dict(context.invocation_metadata() or ())
            self._echo.calls.append(Seen(rpc.method, request, metadata, context.time_remaining()))
            self._echo.started.set()
            return request

        async def unary(raw: bytes, context: Any) -> bytes:
            request = await begin(raw, context)
            await self._maybe_hang(request)
            await _maybe_fail(request, context)
            return raw

        async def stream(raw: bytes, context: Any) -> AsyncIterator[bytes]:
            request = await begin(raw, context)
            for number in range(request.sequence, request.sequence + request.count):
                self._echo.sent += 1
                yield answer(request, number).SerializeToString()
            await self._maybe_hang(request)
            await _maybe_fail(request, context)

        if rpc.streams:
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(unary)

    async def _maybe_hang(self, request: Any) -> None:
        if getattr(request, "name", "") != "hang":
            return
        try:
            await self._echo.go_on.wait()
        except asyncio.CancelledError:
            self._echo.cancelled.set()
            raise


async def _maybe_fail(request: Any, context: Any) -> None:
    if getattr(request, "code", 0):
        own = trailers(BackendUnavailable("it failed")) if request.owner == TYPED else ()
        await context.abort(CODES[request.code], request.owner or "it failed", own)
