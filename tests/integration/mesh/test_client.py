"""The client: retries where a contract allows them, balancing, health, what travels on with a call."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from llamastack.inference.v1.inference_pb2 import (
    CompletionRequest,
    CompletionResponse,
    EmbeddingsRequest,
    EmbeddingsResponse,
)
from llamastack.inference.v1.inference_service_pb2_grpc import (
    InferenceServiceServicer,
    InferenceServiceStub,
    add_InferenceServiceServicer_to_server,
)
from mesh import deadline, metadata
from mesh.client import Client, ClientConfig, target
from mesh.errors import BackendUnavailable, DeadlineExceeded, from_rpc
from mesh.methods import repeatable
from mesh.server import Registration, Server, ServerConfig
from mesh.serviceconfig import service_config
from mesh.testing import mesh_of
from mesh.transport import (
    KEEPALIVE_PERMIT_S,
    KEEPALIVE_S,
    SERVER_TIMEOUT_S,
    TransportConfig,
    client_options,
    server_options,
)
from tests.integration.mesh.certificates import Authority
from tests.integration.mesh.kinds import SERVICE, Kinds, add_kinds, call, request


class Flaky(InferenceServiceServicer):
    """Is unavailable for a number of calls; counts them all."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def _fail(self) -> None:
        self.calls += 1
        if self.calls <= self.failures:
            raise BackendUnavailable("the engine restarts")

    async def Embeddings(self, request: EmbeddingsRequest, context: Any) -> EmbeddingsResponse:
        self._fail()
        return EmbeddingsResponse()

    async def Completion(self, request: CompletionRequest, context: Any) -> CompletionResponse:
        self._fail()
        return CompletionResponse()


def flaky(failures: int) -> Flaky:
    return Flaky(failures)  # type: ignore[abstract]  # the other RPCs are left out on purpose


def embeddings() -> EmbeddingsRequest:
    return EmbeddingsRequest(model="m", contents=["hi"])


async def test_an_rpc_without_side_effects_is_repeated_until_it_works() -> None:
    servicer = flaky(failures=3)
    async with mesh_of({add_InferenceServiceServicer_to_server: servicer}) as mesh:
        assert await mesh.stub(InferenceServiceStub).Embeddings(embeddings()) == EmbeddingsResponse()
    assert servicer.calls == 4


async def test_an_rpc_that_may_have_effects_is_never_repeated() -> None:
    servicer = flaky(failures=1)
    async with mesh_of({add_InferenceServiceServicer_to_server: servicer}) as mesh:
        with pytest.raises(grpc.aio.AioRpcError):
            await mesh.stub(InferenceServiceStub).Completion(request("m"))
    assert servicer.calls == 1


async def test_the_error_of_the_last_try_arrives_whole() -> None:
    servicer = flaky(failures=99)
    client = Client(ClientConfig(max_attempts=2))
    async with mesh_of({add_InferenceServiceServicer_to_server: servicer}, client=client) as mesh:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await mesh.stub(InferenceServiceStub).Embeddings(embeddings())
    assert (servicer.calls, from_rpc(failure.value).message) == (2, "the engine restarts")


def test_exactly_the_rpcs_that_contracts_call_repeatable_are_retried() -> None:
    config = json.loads(service_config(4))
    (rule,) = config["methodConfig"]
    named = {(name["service"], name["method"]) for name in rule["name"]}
    assert named == set(repeatable())
    assert ("llamastack.inference.v1.InferenceService", "Embeddings") in named
    assert ("llamastack.inference.v1.InferenceService", "Completion") not in named
    assert rule["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    assert config["retryThrottling"] == {"maxTokens": 100, "tokenRatio": 0.1}


def test_one_attempt_means_no_retries() -> None:
    assert json.loads(service_config(1)) == {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": ""},
    }


async def test_a_service_that_fails_all_the_time_is_not_buried_under_retries() -> None:
    servicer = flaky(failures=10_000)
    client = Client(ClientConfig(max_attempts=2))
    async with mesh_of({add_InferenceServiceServicer_to_server: servicer}, client=client) as mesh:
        stub = mesh.stub(InferenceServiceStub)
        for _ in range(8):
            await asyncio.gather(*(stub.Embeddings(embeddings()) for _ in range(20)), return_exceptions=True)
    # 160 calls could have become 320; the bucket of 100 tokens stops retrying at half of it
    assert 160 < servicer.calls < 260


async def test_calls_go_round_robin_over_the_replicas_and_around_one_that_drains() -> None:
    hits: list[str] = []

    def replica(name: str) -> Kinds:
        async def behave(requests: list[CompletionRequest]) -> None:
            hits.append(name)

        return Kinds(behave)

    servers = [Server(ServerConfig(drain_grace_s=0), [Registration(add_kinds, replica(name))]) for name in "ab"]
    for server in servers:
        await server.start()
    addresses = ",".join(server.address for server in servers)
    async with Client(ClientConfig()) as client:
        channel = client.channel(f"ipv4:{addresses}")
        async with asyncio.timeout(20):
            while set(hits) != {"a", "b"}:
                await call(channel, "UnaryUnary", request("m"))
        hits.clear()
        for _ in range(10):
            await call(channel, "UnaryUnary", request("m"))
        assert (hits.count("a"), hits.count("b")) == (5, 5)
        # the first replica says NOT_SERVING, as at the start of a drain, but still takes calls
        servers[0].health.close()
        async with asyncio.timeout(20):
            while len(hits) < 6 or set(hits[-6:]) != {"b"}:
                await call(channel, "UnaryUnary", request("m"))
    for server in servers:
        await server.stop()


async def test_an_address_that_a_name_led_to_has_to_show_a_certificate_for_the_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    config = ServerConfig(bind="127.0.0.2:0", tls=authority.issue("workers.test"), drain_grace_s=0)
    client = Client(ClientConfig(tls=authority.issue("front"), timeout_s=5, max_attempts=1))
    async with mesh_of({add_kinds: Kinds()}, config=config, client=client) as mesh:
        named = client.open(mesh.address, "workers.test")
        others = [client.open(mesh.address), client.open(mesh.address, "others.test")]
        assert await call(named, "UnaryUnary", request("m")) == "m"
        for channel in others:
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await call(channel, "UnaryUnary", request("m"))
            assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
        for channel in (named, *others):
            await channel.close()


async def test_a_service_that_is_not_there_is_backend_unavailable() -> None:
    async with Client(ClientConfig()) as client:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call(client.channel("127.0.0.1:1"), "UnaryUnary", request("m"))
    error = from_rpc(failure.value)
    assert (type(error), error.message) == (BackendUnavailable, "a service that is needed can't be reached")


async def test_a_client_does_not_wait_out_the_backoff_of_another_client() -> None:
    first = Server(ServerConfig(drain_grace_s=0), [Registration(add_kinds, Kinds())])
    await first.start()
    address = first.address
    async with Client(ClientConfig()) as waiting, Client(ClientConfig()) as fresh:
        await call(waiting.channel(address), "UnaryUnary", request("m"))
        await first.stop()
        async with asyncio.timeout(20):
            while waiting.channel(address).get_state() is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                with pytest.raises(grpc.aio.AioRpcError):
                    await call(waiting.channel(address), "UnaryUnary", request("m"))
        second = Server(ServerConfig(bind=address, drain_grace_s=0), [Registration(add_kinds, Kinds())])
        await second.start()
        try:
            await call(fresh.channel(address), "UnaryUnary", request("m"))
        finally:
            await second.stop()


async def test_a_call_below_another_gets_what_is_left_minus_the_margin() -> None:
    seen: list[float | None] = []

    async def behave(requests: list[CompletionRequest]) -> None:
        seen.append(deadline.remaining())

    client = Client(ClientConfig(timeout_s=None, deadline_margin_s=5))
    async with mesh_of({add_kinds: Kinds(behave)}, client=client) as mesh:
        with deadline.within(20):
            await call(mesh.channel, "UnaryUnary", request("m"))
            await call(mesh.channel, "UnaryUnary", request("m"), timeout=100)
            await call(mesh.channel, "UnaryUnary", request("m"), timeout=3)
    first, capped, short = seen
    assert first is not None
    assert capped is not None
    assert short is not None
    assert 10 < first <= 15
    assert 10 < capped <= 15
    assert 0 < short < 4


async def test_no_time_left_is_deadline_exceeded_without_reaching_the_servicer() -> None:
    reached: list[CompletionRequest] = []

    async def behave(requests: list[CompletionRequest]) -> None:
        reached.extend(requests)

    async with mesh_of({add_kinds: Kinds(behave)}) as mesh:
        with deadline.within(0), pytest.raises(grpc.aio.AioRpcError) as failure:
            await call(mesh.channel, "UnaryUnary", request("m"))
    assert type(from_rpc(failure.value)) is DeadlineExceeded
    assert reached == []


async def test_metadata_of_the_call_wins_over_what_would_be_passed_on() -> None:
    seen: list[str | None] = []

    async def behave(requests: list[CompletionRequest]) -> None:
        seen.append(metadata.request_id())

    async with mesh_of({add_kinds: Kinds(behave)}) as mesh:
        with metadata.passing_on({metadata.REQUEST_ID: "outer"}):
            await call(mesh.channel, "UnaryUnary", request("m"))
            await call(mesh.channel, "UnaryUnary", request("m"), metadata=((metadata.REQUEST_ID, "own"),))
    assert seen == ["outer", "own"]


async def test_a_request_without_an_id_gets_one() -> None:
    seen: list[str | None] = []

    async def behave(requests: list[CompletionRequest]) -> None:
        seen.append(metadata.request_id())

    async with mesh_of({add_kinds: Kinds(behave)}) as mesh:
        for pairs in ((), ((metadata.REQUEST_ID, "x" * 129),)):
            await call(mesh.channel, "UnaryUnary", request("m"), metadata=pairs)
    assert all(identifier is not None and len(identifier) == 32 for identifier in seen)
    assert seen[0] != seen[1]


async def test_a_channel_is_made_once_per_address() -> None:
    async with Client(ClientConfig()) as client:
        assert client.channel("a:1") is client.channel("a:1")
        assert client.channel("a:1") is not client.channel("b:1")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("inference:7101", "dns:///inference:7101"),
        ("unix:/run/a.sock", "unix:/run/a.sock"),
        ("dns:///a:1", "dns:///a:1"),
    ],
)
def test_an_address_without_scheme_is_resolved_by_dns(address: str, expected: str) -> None:
    assert target(address) == expected


def test_the_clients_pings_are_within_what_the_server_permits() -> None:
    client, server = dict(client_options(TransportConfig())), dict(server_options(TransportConfig()))
    assert client["grpc.keepalive_time_ms"] == KEEPALIVE_S * 1000
    assert server["grpc.http2.min_recv_ping_interval_without_data_ms"] == KEEPALIVE_PERMIT_S * 1000
    assert KEEPALIVE_PERMIT_S < KEEPALIVE_S
    assert client["grpc.keepalive_permit_without_calls"] == server["grpc.keepalive_permit_without_calls"] == 1


def test_a_server_bears_with_a_caller_that_reads_nothing_for_a_while() -> None:
    # the C core makes it TCP_USER_TIMEOUT too: at 10 s a caller that was stopped for 14 s had its connection reset
    assert dict(server_options(TransportConfig()))["grpc.keepalive_timeout_ms"] == SERVER_TIMEOUT_S * 1000 == 120_000


async def test_connections_of_the_configured_age_are_renewed_without_losing_a_call() -> None:
    config = ServerConfig(transport=TransportConfig(max_connection_age_s=1), drain_grace_s=0)
    goaway = asyncio.Event()

    async def behave(requests: list[CompletionRequest]) -> None:
        await goaway.wait()

    async with mesh_of({add_kinds: Kinds(behave)}, config=config) as mesh:
        task = asyncio.create_task(call(mesh.channel, "UnaryUnary", request("m")))
        # the channel leaves READY when the server asks it to connect anew
        async with asyncio.timeout(20):
            await mesh.channel.channel_ready()
            await mesh.channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
        goaway.set()
        assert await asyncio.wait_for(task, 10) == "m"
        assert await call(mesh.channel, "UnaryUnary", request("n")) == "n"
    assert SERVICE.startswith("llamastack.")
