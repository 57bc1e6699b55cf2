"""Asks a server for its health, as probes do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub


async def health_of(channel: grpc.aio.Channel, service: str) -> str:
    """Return the name of a service's status."""
    stub: Any = HealthStub(channel)
    response = await stub.Check(HealthCheckRequest(service=service))
    return HealthCheckResponse.ServingStatus.Name(response.status)


async def watched(channel: grpc.aio.Channel, service: str) -> AsyncIterator[str]:
    """Yield the names of a service's status as it changes."""
    stub: Any = HealthStub(channel)
    async for response in stub.Watch(HealthCheckRequest(service=service)):
        yield HealthCheckResponse.ServingStatus.Name(response.status)
