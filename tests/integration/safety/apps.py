"""The inference and the agents service as they are put together from the environment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from mesh.client import Client, ClientConfig
from mesh.config import load
from mesh.telemetry.process import ProcessTelemetry
from services.agents.app import App as AgentsApp
from services.agents.config import AgentsConfig
from services.inference.app import App as InferenceApp
from services.inference.config import InferenceConfig

SECONDS = 180.0
SERVICE = "llamastack.inference.v1.InferenceService"


@asynccontextmanager
async def inference(folder: Path, **settings: str) -> AsyncIterator[str]:
    """Run the inference service and give its address once it serves."""
    environ = {"BIND": "127.0.0.1:0", "DATA": str(folder), "ENGINE": "transformers", "EMBEDDING_MODEL": "", **settings}
    environ = {f"ALTIPLANO_INFERENCE_{name}": value for name, value in environ.items()}
    config = load(InferenceConfig, environ, service="inference")
    app = InferenceApp(config, ProcessTelemetry(config.telemetry, "inference"))
    app.begin()
    try:
        await app.server.start()
        async with Client(ClientConfig()) as client, asyncio.timeout(SECONDS):
            stub: Any = HealthStub(client.channel(app.server.address))
            watch = stub.Watch(HealthCheckRequest(service=SERVICE), wait_for_ready=True)
            async for health in watch:
                if health.status == HealthCheckResponse.SERVING:
                    break
            watch.cancel()
        yield app.server.address
    finally:
        await app.server.stop()
        await app.stop()


@asynccontextmanager
async def agents(folder: Path, inference_address: str, **settings: str) -> AsyncIterator[str]:
    """Run the agents service and give its address."""
    environ = {
        "ALTIPLANO_AGENTS_BIND": "127.0.0.1:0",
        "ALTIPLANO_AGENTS_DATA": str(folder),
        "ALTIPLANO_INFERENCE_ADDRESS": inference_address,
        **settings,
    }
    config = load(AgentsConfig, environ, service="agents")
    app = AgentsApp(config, ProcessTelemetry(config.telemetry, "agents"))
    await app.begin()
    try:
        await app.server.start()
        yield app.server.address
    finally:
        await app.server.stop()
        await app.stop()
