"""OpenAI's own client in front of the gateway, the gateway on a real socket in front of the service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import openai
import pytest

from gateway.app import Gateway, Surroundings, load_contract
from gateway.config import GatewayConfig, ListenConfig
from gateway.observe import Unwatched
from gateway.server import HttpServer
from gateway.upstream import GrpcUpstreams
from mesh.client import Client, ClientConfig
from services.inference.admission import AdmissionLimits
from tests.unit.inference.fakes import ScriptedEngine
from tests.unit.inference.openai.serving import openai_mesh

Connect: TypeAlias = Callable[..., AbstractAsyncContextManager[openai.AsyncOpenAI]]


@asynccontextmanager
async def gateway_before(address: str) -> AsyncIterator[str]:
    """Run a gateway before a service and give its base URL."""
    config = GatewayConfig(upstreams=(f"openai={address}",), listen=ListenConfig(bind="127.0.0.1:0"))
    async with Client(ClientConfig()) as client:
        gateway = Gateway(config, load_contract(), Surroundings(GrpcUpstreams(client), Unwatched()))
        server = HttpServer(gateway.app, gateway.admission, config.listen)
        serving = asyncio.create_task(server.serve())
        try:
            async with asyncio.timeout(30):
                while not server.started:  # noqa: ASYNC110 - there is no event for it
                    await asyncio.sleep(0.005)
            yield f"http://{server.address}/v1"
        finally:
            server.stop()
            await serving


@pytest.fixture
async def connect(tmp_path: Path) -> Connect:
    """Give the function that serves an engine as the model ``m`` and gives a client: ``connect(engine)``."""

    @asynccontextmanager
    async def make(
        engine: ScriptedEngine, limits: AdmissionLimits | None = None, **others: ScriptedEngine
    ) -> AsyncIterator[openai.AsyncOpenAI]:
        engines = {"m": engine} | {name.replace("__", "/"): other for name, other in others.items()}
        async with AsyncExitStack() as stack:
            mesh = await stack.enter_async_context(openai_mesh(tmp_path, engines, limits))
            base = await stack.enter_async_context(gateway_before(mesh.address))
            http = openai.DefaultAsyncHttpxClient(trust_env=False)
            client = openai.AsyncOpenAI(base_url=base, api_key="none", max_retries=0, http_client=http)
            yield await stack.enter_async_context(client)

    return make
