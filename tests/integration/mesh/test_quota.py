"""Quotas of tenants, over real calls of all kinds."""

from __future__ import annotations

import asyncio

import grpc.aio
import pytest

from llamastack.inference.v1.inference_pb2 import CompletionRequest
from mesh.auth.config import AuthConfig
from mesh.client import Client, ClientConfig
from mesh.config import ConfigError, load
from mesh.errors import QuotaExceeded, from_rpc
from mesh.identity import Identity, acting_as
from mesh.interceptors.quota import QuotaConfig
from mesh.server import Attachments, ServerConfig
from mesh.testing import Mesh, mesh_of
from tests.integration.mesh.health import health_of
from tests.integration.mesh.kinds import NAMES, Kinds, add_kinds, call, request

AUTH = AuthConfig(mesh_secrets=("s" * 32,))
ANN, BOB = (Identity(f"user:{name}", name, frozenset({"*:*"})) for name in ("ann", "bob"))


def client() -> Client:
    companion = AUTH.companion("test")
    assert companion is not None
    return Client(ClientConfig(), [companion])


def config(**quota: int) -> ServerConfig:
    return ServerConfig(drain_grace_s=0, quota=QuotaConfig(**quota))


async def refusal(mesh: Mesh, kind: str) -> QuotaExceeded:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(mesh.channel, kind, request("m"))
    error = from_rpc(caught.value)
    assert isinstance(error, QuotaExceeded)
    return error


@pytest.mark.parametrize("kind", NAMES)
async def test_calls_beyond_a_minutes_share_are_told_when_to_come_back(kind: str) -> None:
    attachments = Attachments(authenticator=AUTH.services())
    async with mesh_of(
        {add_kinds: Kinds()}, config=config(requests_per_minute=2), attachments=attachments, client=client()
    ) as mesh:
        with acting_as(ANN):
            for _ in range(2):
                assert await call(mesh.channel, kind, request("m")) == "m"
            error = await refusal(mesh, kind)
            assert error.details.quota_subject == "tenant:ann calls per minute"
            assert 0 < (error.details.retry_after_s or 0) <= 30
        with acting_as(BOB):
            assert await call(mesh.channel, kind, request("m")) == "m"
        with acting_as(ANN):
            assert await health_of(mesh.channel, "") == "SERVING"


@pytest.mark.parametrize("kind", NAMES)
async def test_calls_at_once_are_bounded_for_each_tenant(kind: str) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def wait(requests: list[CompletionRequest]) -> None:
        if requests[0].model == "slow":
            entered.set()
            await leave.wait()

    attachments = Attachments(authenticator=AUTH.services())
    async with mesh_of(
        {add_kinds: Kinds(wait)}, config=config(concurrency=1), attachments=attachments, client=client()
    ) as mesh:
        with acting_as(ANN):
            slow = asyncio.create_task(call(mesh.channel, kind, request("slow")))
            async with asyncio.timeout(10):
                await entered.wait()
            assert (await refusal(mesh, kind)).details.quota_subject == "tenant:ann calls at once"
        with acting_as(BOB):
            assert await call(mesh.channel, kind, request("m")) == "m"
        leave.set()
        assert await slow == "slow"
        with acting_as(ANN):
            assert await call(mesh.channel, kind, request("m")) == "m"


def test_a_quota_that_lets_nothing_in_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 is needed"):
        load(ServerConfig, {"ALTIPLANO_QUOTA_CONCURRENCY": "0"}, service="memory")


async def test_replicas_divide_what_a_tenant_may_take() -> None:
    async with mesh_of({add_kinds: Kinds()}, config=config(requests_per_minute=5, replicas=3)) as mesh:
        for _ in range(2):
            assert await call(mesh.channel, "UnaryUnary", request("m")) == "m"
        assert (await refusal(mesh, "UnaryUnary")).details.quota_subject.endswith("calls per minute")
    assert [QuotaConfig(replicas=4).share(limit) for limit in (None, 1, 4, 5)] == [None, 1, 1, 2]
    with pytest.raises(ConfigError, match="QUOTA_REPLICAS"):
        load(QuotaConfig, {"ALTIPLANO_QUOTA_REPLICAS": "0"})
