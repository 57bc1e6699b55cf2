"""The gateway in front of the echo server: in process, and on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from gateway.app import Gateway, Surroundings, Upstreams
from gateway.config import CorsConfig, GatewayConfig, JsonConfig, LimitConfig, ListenConfig
from gateway.exchange import Exchange
from gateway.http2.channel import Http2Channel
from gateway.lean import LeanUpstreams
from gateway.server import HttpServer
from gateway.upstream import GrpcUpstreams
from mesh.client import Client, ClientConfig
from tests.integration.gateway.echo import Echo, contract, serve_echo


@dataclass
class Watched:
    """An observer that keeps what it saw."""

    finished: list[Exchange] = field(default_factory=list)

    @contextmanager
    def watching(self, exchange: Exchange) -> Iterator[None]:
        """Keep the exchange when it is over."""
        try:
            yield
        finally:
            self.finished.append(exchange)


@dataclass
class Running:
    """A gateway and a client of it."""

    gateway: Gateway
    http: httpx.AsyncClient
    watched: Watched
    server: HttpServer | None = None


Start = Callable[..., Any]


async def until(condition: Callable[[], bool]) -> None:
    """Wait, at most ten seconds, for something that nothing signals."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for belongs to libraries without an event
            await asyncio.sleep(0.005)


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    async with serve_echo() as running:
        yield running


def config_of(address: str, **settings: Any) -> GatewayConfig:
    """Return a configuration with the settings given by the names of their fields."""
    parts: dict[str, dict[str, Any]] = {"json": {}, "limits": {}, "cors": {}, "listen": {"bind": "127.0.0.1:0"}}
    kinds = {"json": JsonConfig, "limits": LimitConfig, "cors": CorsConfig, "listen": ListenConfig}
    for name, value in settings.items():
        part = next(part for part, kind in kinds.items() if name in kind.__dataclass_fields__)
        parts[part][name] = value
    return GatewayConfig(upstreams=(f"echo={address}",), **{part: kind(**parts[part]) for part, kind in kinds.items()})


def _upstreams(transport: str) -> tuple[Client, Upstreams]:
    if transport == "grpc":
        client = Client(ClientConfig())
        return client, GrpcUpstreams(client)
    config = ClientConfig()
    client = Client(config, (), lambda address: Http2Channel(address, config.transport.max_message_bytes))
    return client, LeanUpstreams(client, config.max_attempts)


@pytest.fixture(params=["grpc", "lean"])
async def start(echo: Echo, request: pytest.FixtureRequest) -> AsyncIterator[Start]:
    """Give the function that starts a gateway in process: ``await start(compress=False)``."""
    async with AsyncExitStack() as stack:

        async def make(authenticator: Any = None, upstreams: tuple[str, ...] | None = None, **settings: Any) -> Running:
            client, reached = _upstreams(request.param)
            await stack.enter_async_context(client)
            config = config_of(echo.address, **settings)
            if upstreams is not None:
                config = GatewayConfig(upstreams=upstreams, json=config.json, limits=config.limits, cors=config.cors)
            watched = Watched()
            gateway = Gateway(config, contract(), Surroundings(reached, watched, authenticator))
            transport = httpx.ASGITransport(app=gateway.app)
            http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://localhost"))
            return Running(gateway, http, watched)

        yield make


@pytest.fixture
async def listen(start: Start) -> AsyncIterator[Start]:
    """Give the function that starts a gateway on a real socket of loopback."""
    async with AsyncExitStack() as stack:

        async def make(**settings: Any) -> Running:
            running = await start(**settings)
            listen = config_of("-:0", **settings).listen
            server = HttpServer(running.gateway.app, running.gateway.admission, listen)
            serving = asyncio.create_task(server.serve())
            stack.push_async_callback(_end, server, serving)
            await until(lambda: server.started)
            base = f"http://{server.address}"
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=base))
            return Running(running.gateway, http, running.watched, server)

        yield make


async def _end(server: HttpServer, serving: asyncio.Task[None]) -> None:
    server.stop()
    await serving
