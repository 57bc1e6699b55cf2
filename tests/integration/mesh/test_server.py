"""The server: health, reflection, limits, exposure, an orderly end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from llamastack.inference.v1.inference_pb2 import CompletionRequest
from llamastack.inference.v1.inference_service_pb2_grpc import (
    InferenceServiceServicer,
    InferenceServiceStub,
    add_InferenceServiceServicer_to_server,
)
from mesh.auth.tokens import SignedIdentity
from mesh.client import Client, ClientConfig
from mesh.config import ConfigError
from mesh.errors import (
    Internal,
    InvalidField,
    NotSupported,
    RequestTooLarge,
    ResourceNotFound,
    WrongState,
    from_rpc,
    to_status,
)
from mesh.health import PROCESS, Dependency, HealthBoard, observe
from mesh.server import Attachments, Registration, Server, ServerConfig, serve
from mesh.testing import mesh_of
from mesh.transport import TransportConfig
from tests.integration.mesh.health import health_of, watched
from tests.integration.mesh.kinds import SERVICE, Kinds, add_kinds, call, request

REFLECTION = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")


class Patient:
    """A dependency whose state a test sets."""

    def __init__(self, well: bool) -> None:
        self.well = well

    async def __call__(self) -> None:
        if not self.well:
            raise ConnectionError("away")


async def next_of(statuses: Any) -> str:
    status: str = await asyncio.wait_for(anext(statuses), 10)
    return status


async def test_health_follows_the_dependencies_of_each_service() -> None:
    database = Patient(well=False)
    dependency = Dependency("database", database, frozenset({SERVICE}), interval_s=0.01)
    async with mesh_of({add_kinds: Kinds()}, attachments=Attachments(dependencies=[dependency])) as mesh:
        assert await health_of(mesh.channel, SERVICE) == "NOT_SERVING"
        assert await health_of(mesh.channel, PROCESS) == "SERVING"
        statuses = watched(mesh.channel, SERVICE)
        assert await next_of(statuses) == "NOT_SERVING"
        database.well = True
        assert await next_of(statuses) == "SERVING"
        database.well = False
        assert await next_of(statuses) == "NOT_SERVING"


async def test_a_service_can_be_switched_off_and_on() -> None:
    async with mesh_of({add_kinds: Kinds()}) as mesh:
        statuses = watched(mesh.channel, SERVICE)
        assert await next_of(statuses) == "SERVING"
        mesh.server.health.set_serving(SERVICE, False)
        assert await next_of(statuses) == "NOT_SERVING"
        mesh.server.health.set_serving(SERVICE, True)
        assert await next_of(statuses) == "SERVING"


async def test_an_unknown_service_is_not_found_by_check_and_unknown_to_watch() -> None:
    async with mesh_of({add_kinds: Kinds()}) as mesh:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await health_of(mesh.channel, "no.such.Service")
        assert type(from_rpc(failure.value)) is ResourceNotFound
        assert await next_of(watched(mesh.channel, "no.such.Service")) == "SERVICE_UNKNOWN"


async def test_a_check_that_hangs_counts_as_not_well() -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    attachments = Attachments(dependencies=[Dependency("engine", hang, timeout_s=0.01)])
    async with mesh_of({add_kinds: Kinds()}, attachments=attachments) as mesh:
        assert await health_of(mesh.channel, SERVICE) == "NOT_SERVING"


async def test_every_dependency_is_asked_at_its_own_pace() -> None:
    asked: list[str] = []
    paces: asyncio.Queue[float] = asyncio.Queue()
    go = asyncio.Semaphore(0)

    def check(name: str) -> Callable[[], Awaitable[None]]:
        async def ask() -> None:
            asked.append(name)

        return ask

    async def sleep(seconds: float) -> None:
        paces.put_nowait(seconds)
        await go.acquire()

    dependencies = [Dependency("a", check("a"), interval_s=1), Dependency("b", check("b"), interval_s=9)]
    task = asyncio.create_task(observe(HealthBoard([SERVICE]), dependencies, sleep))
    assert sorted([await paces.get(), await paces.get()]) == [1, 9]
    go.release()
    go.release()
    assert sorted([await asyncio.wait_for(paces.get(), 10), await asyncio.wait_for(paces.get(), 10)]) == [1, 9]
    assert sorted(asked) == ["a", "b"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("protocol", REFLECTION)
async def test_reflection_lists_the_services_and_gives_their_files(protocol: str) -> None:
    async with mesh_of({add_kinds: Kinds()}) as mesh:
        start = mesh.channel.stream_stream(
            f"/{protocol}/ServerReflectionInfo",
            request_serializer=ServerReflectionRequest.SerializeToString,
            response_deserializer=ServerReflectionResponse.FromString,
        )

        async def ask(question: ServerReflectionRequest) -> ServerReflectionResponse:
            made = start(iter([question]))
            return await asyncio.wait_for(anext(aiter(made)), 10)

        listed = await ask(ServerReflectionRequest(list_services=""))
        names = [service.name for service in listed.list_services_response.service]
        assert names == sorted([SERVICE, "grpc.health.v1.Health", *REFLECTION])
        for name in names:
            answer = await ask(ServerReflectionRequest(file_containing_symbol=name))
            files = [
                FileDescriptorProto.FromString(raw) for raw in answer.file_descriptor_response.file_descriptor_proto
            ]
            assert name in {f"{file.package}.{service.name}" for file in files for service in file.service}


async def test_the_rules_of_a_generated_service_are_enforced_and_its_file_is_reflected() -> None:
    servicer = InferenceServiceServicer()  # type: ignore[abstract]  # nothing of it is called
    async with mesh_of({add_InferenceServiceServicer_to_server: servicer}) as mesh:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await mesh.stub(InferenceServiceStub).Completion(CompletionRequest(model="m"))
        start = mesh.channel.stream_stream(
            f"/{REFLECTION[0]}/ServerReflectionInfo",
            request_serializer=ServerReflectionRequest.SerializeToString,
            response_deserializer=ServerReflectionResponse.FromString,
        )
        symbol = "llamastack.inference.v1.InferenceService"
        answer = await anext(aiter(start(iter([ServerReflectionRequest(file_containing_symbol=symbol)]))))
    assert to_status(from_rpc(failure.value)) == to_status(InvalidField("content", "value is required"))
    raws = answer.file_descriptor_response.file_descriptor_proto
    names = {FileDescriptorProto.FromString(raw).name for raw in raws}
    assert {"llamastack/inference/v1/inference_service.proto", "llamastack/inference/v1/inference.proto"} <= names


async def test_what_a_servicer_does_not_define_is_unimplemented() -> None:
    class Nothing(InferenceServiceServicer):
        pass

    servicer = Nothing()  # type: ignore[abstract]  # that is the case under test
    async with mesh_of({add_InferenceServiceServicer_to_server: servicer}) as mesh:
        stub = mesh.stub(InferenceServiceStub)
        with pytest.raises(grpc.aio.AioRpcError) as unary:
            await stub.Completion(request("m"))
        with pytest.raises(grpc.aio.AioRpcError) as stream:
            await anext(aiter(stub.StreamCompletion(request("m"))))
    assert type(from_rpc(unary.value)) is NotSupported
    assert type(from_rpc(stream.value)) is NotSupported


async def test_an_answer_that_cannot_be_sent_is_a_defect_like_any_other() -> None:
    class Wrong(InferenceServiceServicer):
        async def Completion(self, request: CompletionRequest, context: Any) -> Any:
            return "not a message"

    servicer = Wrong()  # type: ignore[abstract]  # the other RPCs are left out on purpose
    async with mesh_of({add_InferenceServiceServicer_to_server: servicer}) as mesh:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await mesh.stub(InferenceServiceStub).Completion(request("m"))
    assert type(from_rpc(failure.value)) is Internal


async def test_a_message_over_the_limit_is_too_large_whoever_notices() -> None:
    small = TransportConfig(max_message_bytes=2048)
    large = CompletionRequest(model="m", content={"text": "x" * 4000})  # type: ignore[arg-type]  # a dict is fine
    config = ServerConfig(transport=small, drain_grace_s=0)
    async with mesh_of({add_kinds: Kinds()}, config=config) as mesh:
        with pytest.raises(grpc.aio.AioRpcError) as by_server:
            await call(mesh.channel, "UnaryUnary", large)
        async with Client(ClientConfig(transport=small)) as client:
            with pytest.raises(grpc.aio.AioRpcError) as by_client:
                await call(client.channel(mesh.address), "UnaryUnary", large)
    assert type(from_rpc(by_server.value)) is RequestTooLarge
    assert type(from_rpc(by_client.value)) is RequestTooLarge


class Held:
    """A behaviour that waits for the test."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, requests: list[CompletionRequest]) -> None:
        self.begun.set()
        await self.go.wait()


async def test_draining_says_so_first_refuses_new_calls_and_lets_old_ones_finish() -> None:
    held = Held()
    server = Server(ServerConfig(drain_grace_s=20), [Registration(add_kinds, Kinds(held))])
    await server.start()
    async with Client(ClientConfig()) as client, Client(ClientConfig()) as late:
        statuses = watched(client.channel(server.address), SERVICE)
        assert await next_of(statuses) == "SERVING"
        old = asyncio.create_task(call(client.channel(server.address), "UnaryUnary", request("old")))
        await asyncio.wait_for(held.begun.wait(), 10)
        draining = asyncio.create_task(server.drain())
        assert await next_of(statuses) == "NOT_SERVING"
        with pytest.raises(StopAsyncIteration):
            await next_of(statuses)
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call(late.channel(server.address), "UnaryUnary", request("new"))
        assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
        assert not draining.done()
        held.go.set()
        assert await asyncio.wait_for(old, 10) == "old"
        await asyncio.wait_for(draining, 10)


async def test_a_call_that_outlasts_the_grace_is_cancelled() -> None:
    held = Held()
    server = Server(ServerConfig(drain_grace_s=0.05), [Registration(add_kinds, Kinds(held))])
    await server.start()
    async with Client(ClientConfig()) as client:
        slow = asyncio.create_task(call(client.channel(server.address), "UnaryUnary", request("slow")))
        await asyncio.wait_for(held.begun.wait(), 10)
        await asyncio.wait_for(server.drain(), 10)
        with pytest.raises(grpc.aio.AioRpcError):
            await asyncio.wait_for(slow, 10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_the_server_and_runs_what_comes_after(number: signal.Signals) -> None:
    after: list[str] = []

    async def close() -> None:
        after.append("closed")

    server = Server(ServerConfig(drain_grace_s=0), [Registration(add_kinds, Kinds())])
    ready = asyncio.Event()
    serving = asyncio.create_task(serve(server, ready=ready.set, closing=close))
    async with Client(ClientConfig()) as client:
        await asyncio.wait_for(ready.wait(), 10)
        assert await call(client.channel(server.address), "UnaryUnary", request("a")) == "a"
        os.kill(os.getpid(), number)
        await asyncio.wait_for(serving, 10)
    assert after == ["closed"]


async def test_a_condition_that_fails_ends_the_server_with_its_error_and_one_that_holds_does_not() -> None:
    after: list[str] = []
    holds = asyncio.Event()

    async def close() -> None:
        after.append("closed")

    async def condition() -> None:
        await holds.wait()
        raise WrongState("the model is broken")

    async def nothing() -> None:
        holds.set()

    for wanted in (nothing, condition):
        server = Server(ServerConfig(drain_grace_s=0), [Registration(add_kinds, Kinds())])
        serving = asyncio.create_task(serve(server, closing=close, condition=wanted))
        async with Client(ClientConfig()) as client, asyncio.timeout(10):
            if wanted is nothing:
                await holds.wait()
                assert await call(client.channel(server.address), "UnaryUnary", request("a")) == "a"
                os.kill(os.getpid(), signal.SIGTERM)
                await serving
            else:
                with pytest.raises(WrongState, match="broken"):
                    await serving
    assert after == ["closed", "closed"]


async def test_a_second_signal_stops_the_server_at_once() -> None:
    held = Held()
    ready = asyncio.Event()
    server = Server(ServerConfig(drain_grace_s=600), [Registration(add_kinds, Kinds(held))])
    serving = asyncio.create_task(serve(server, ready=ready.set))
    async with Client(ClientConfig()) as client:
        await asyncio.wait_for(ready.wait(), 10)
        slow = asyncio.create_task(call(client.channel(server.address), "UnaryUnary", request("slow")))
        await asyncio.wait_for(held.begun.wait(), 10)
        statuses = watched(client.channel(server.address), SERVICE)
        assert await next_of(statuses) == "SERVING"
        os.kill(os.getpid(), signal.SIGTERM)
        assert await next_of(statuses) == "NOT_SERVING"
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(serving, 10)
        with pytest.raises(grpc.aio.AioRpcError):
            await asyncio.wait_for(slow, 10)


@pytest.mark.parametrize("bind", ["0.0.0.0:0", "[::]:0", "10.1.2.3:80", "inference:80"])
async def test_beyond_loopback_nothing_is_served_without_authentication(bind: str) -> None:
    with pytest.raises(ConfigError, match="beyond loopback"):
        Server(ServerConfig(bind=bind), [])


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "[::1]:0", "localhost:0", "unix:/tmp/a.sock"])
async def test_loopback_needs_no_authentication(bind: str) -> None:
    await Server(ServerConfig(bind=bind), []).stop()


async def test_beyond_loopback_is_served_with_authentication_or_when_told_so() -> None:
    proving = Attachments(authenticator=SignedIdentity(["x" * 32]))
    await Server(ServerConfig(bind="0.0.0.0:0"), [], proving).stop()
    await Server(ServerConfig(bind="0.0.0.0:0", insecure=True), []).stop()


async def test_an_address_in_use_is_a_config_error() -> None:
    async with mesh_of({add_kinds: Kinds()}) as mesh:
        second = Server(ServerConfig(bind=mesh.address), [Registration(add_kinds, Kinds())])
        with pytest.raises(ConfigError, match="can't be bound"):
            await second.start()
        await second.stop()


async def test_a_unix_socket_serves_as_well(tmp_path: Any) -> None:
    config = ServerConfig(bind=f"unix:{tmp_path}/s.sock", drain_grace_s=0)
    async with mesh_of({add_kinds: Kinds()}, config=config) as mesh:
        assert await call(mesh.channel, "UnaryUnary", request("a")) == "a"


def test_a_registration_knows_its_service() -> None:
    assert Registration(add_kinds, Kinds()).service == SERVICE
    servicer = InferenceServiceServicer()  # type: ignore[abstract]  # nothing of it is called
    generated = Registration(add_InferenceServiceServicer_to_server, servicer)
    assert generated.service == "llamastack.inference.v1.InferenceService"
