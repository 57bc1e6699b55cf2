"""Asks processes how they are: services by the gRPC health protocol, the gateway by its readiness page."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import httpx
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from cli.access import client, client_tls
from cli.deployables import GATEWAY, SERVICES, Deployable, serving
from llamastack.models.v1 import models_pb2
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub

TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class State:
    """How a process is: ``serving``, ``starting`` (it answers, but not ready) or ``unreachable``."""

    name: str
    address: str
    word: str

    @property
    def serving(self) -> bool:
        """Whether it does its work."""
        return self.word == "serving"


def free(address: str) -> bool:
    """Tell whether nothing listens at an address of this machine."""
    host, _, port = address.rpartition(":")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host.strip("[]"), int(port)))
        except OSError:
            return False
    return True


async def states() -> list[State]:
    """Return the state of every process, services first.

    Raises:
        Failure: the settings of clients can't work.
    """
    credentials = client_tls().channel()
    asked = (service_state(service, credentials) for service in SERVICES)
    return list(await asyncio.gather(*asked, gateway_state()))


async def service_state(service: Deployable, credentials: grpc.ChannelCredentials | None) -> State:
    """Return the state of a service, which is asked over TLS with credentials and in plain text without."""
    address = service.address
    made = grpc.aio.secure_channel(address, credentials) if credentials else grpc.aio.insecure_channel(address)
    async with made as channel:
        stub: Any = HealthStub(channel)
        try:
            for name in service.ready or ("",):
                answer = await stub.Check(HealthCheckRequest(service=name), timeout=TIMEOUT_SECONDS)
                if answer.status != HealthCheckResponse.SERVING:
                    return State(service.name, address, "starting")
        except grpc.aio.AioRpcError:
            return State(service.name, address, "unreachable")
    return State(service.name, address, "serving")


async def gateway_state() -> State:
    """Return the state of the gateway."""
    address = f"http://{GATEWAY.address}"
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            answer = await client.get(f"{address}/readyz")
    except httpx.HTTPError:
        return State(GATEWAY.name, address, "unreachable")
    return State(GATEWAY.name, address, "serving" if answer.status_code == 200 else "starting")


async def model_news() -> list[str]:
    """Return what there is to say of each model that does not answer yet; nothing where the service can't be asked.

    Raises:
        Failure: the settings of clients can't work.
    """
    service = serving("models")
    if service is None:
        return []
    async with client() as calls:
        stub: Any = ModelsServiceStub(calls.channel(service.address))
        try:
            listed = await stub.ListModels(models_pb2.ListModelsRequest(), timeout=TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError:
            return []
    waiting = (model for model in listed.models if model.state != models_pb2.MODEL_STATE_READY)
    return [f"model {model.model_id}: {model.state_message}" for model in waiting if model.state_message]
