"""Every service in this process without authentication, a small model behind them, and a gateway before them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from bench.restarts.model import MODEL, parrot
from gateway.app import Gateway, Surroundings, load_contract
from gateway.config import GatewayConfig
from gateway.observe import Unwatched
from gateway.upstream import GrpcUpstreams
from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from llamastack.models.v1.models_service_pb2_grpc import add_ModelsServiceServicer_to_server
from mesh.client import Client, ClientConfig
from mesh.testing import mesh_of
from tests.integration.security.apps import running
from tests.integration.security.callers import services


@asynccontextmanager
async def deployed(name: str, folder: Path) -> AsyncIterator[str]:
    """Run a service and yield its address."""
    servicer = parrot()
    model = {add_InferenceServiceServicer_to_server: servicer, add_ModelsServiceServicer_to_server: servicer}
    async with mesh_of(model) as behind:
        settings = {
            "ALTIPLANO_MESH_SECRET": "",
            "ALTIPLANO_INFERENCE_ADDRESS": behind.address,
            "ALTIPLANO_INFERENCE_REMOTE_MODELS": f"{MODEL}={behind.address}",
            "ALTIPLANO_MEMORY_EMBEDDING_MODEL_ID": MODEL,
        }
        async with running(name, folder, **settings) as app:
            if name == "inference":
                # a model elsewhere is known once it was reached
                async with asyncio.timeout(30):
                    while not app.catalog.get(MODEL).ready:  # noqa: ASYNC110 - nothing tells of it
                        await asyncio.sleep(0.05)
            yield app.server.address


@asynccontextmanager
async def in_front(name: str, address: str) -> AsyncIterator[httpx.AsyncClient]:
    """Put a gateway before a service and yield an HTTP client of it."""
    areas = {found.split(".")[1] for found in services() if found.split(".")[1] in AREAS_OF[name]}
    config = GatewayConfig(upstreams=tuple(f"{area}={address}" for area in areas))
    async with Client(ClientConfig(max_attempts=1)) as client:
        gateway = Gateway(config, load_contract(), Surroundings(GrpcUpstreams(client), Unwatched()))
        transport = httpx.ASGITransport(app=gateway.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            yield http


AREAS_OF = {
    "inference": ("inference", "models", "openai"),
    "agents": ("agents", "safety", "tools"),
    "memory": ("memory",),
    "training": ("datasets", "post_training", "synthetic_data_generation"),
    "eval": ("evaluations", "reward_scoring", "observability"),
}
