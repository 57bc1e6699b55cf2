"""The service as it is put together from the environment: a worker on transformers, and a front that forwards to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import Message, StopReason, UserMessage
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from llamastack.models.v1.models_pb2 import MODEL_KIND_LLM, MODEL_STATE_READY, ListModelsRequest, Replica
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub
from mesh.auth.config import AuthConfig
from mesh.client import Client, ClientConfig
from mesh.config import ConfigError, load
from mesh.errors import MissingScope, QuotaExceeded, from_rpc
from mesh.identity import LOCAL, Identity
from mesh.telemetry.process import ProcessTelemetry
from services.inference.app import App
from services.inference.config import InferenceConfig
from tests.tiny_model import CONTEXT, make_checkpoint

SECONDS = 90.0
SERVICE = "llamastack.inference.v1.InferenceService"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("models") / "tiny")


@asynccontextmanager
async def service(data: Path, **settings: str) -> AsyncIterator[str]:
    """Run the service with these settings and give its address once it serves."""
    environ = {
        "ALTIPLANO_INFERENCE_BIND": "127.0.0.1:0",
        "ALTIPLANO_INFERENCE_DATA": str(data),
        "ALTIPLANO_INFERENCE_EMBEDDING_MODEL": "",
        "ALTIPLANO_INFERENCE_DRAIN_GRACE_S": "0",
        **{f"ALTIPLANO_INFERENCE_{name}": value for name, value in settings.items()},
    }
    environ["ALTIPLANO_MESH_SECRET"] = environ.pop("ALTIPLANO_INFERENCE_SECRET", "")
    config = load(InferenceConfig, environ, service="inference")
    app = App(config, ProcessTelemetry(config.telemetry, "inference"))
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


async def test_a_front_answers_with_the_model_of_a_worker_on_transformers(folder: Path, tmp_path: Path) -> None:
    question = Message(user=UserMessage(content=Content(text="hi")))
    params = SamplingParams(max_tokens=6)
    async with (
        service(tmp_path / "worker", MODEL=str(folder), ENGINE="transformers") as worker,
        service(tmp_path / "front", MODEL="", REMOTE_MODELS=f"tiny={worker}") as front,
        Client(ClientConfig()) as client,
    ):
        stub = InferenceServiceStub(client.channel(front))
        request = pb.ChatCompletionRequest(model="tiny", messages=[question], sampling_params=params)
        there = await InferenceServiceStub(client.channel(worker)).ChatCompletion(request)
        here = await stub.ChatCompletion(request)
        events = [chunk.event async for chunk in stub.StreamChatCompletion(request)]
        listed = await ModelsServiceStub(client.channel(front)).ListModels(ListModelsRequest())
    assert here == there
    assert here.usage.completion_tokens == 6
    assert here.completion_message.stop_reason == StopReason.STOP_REASON_OUT_OF_TOKENS
    assert events[-1].usage == here.usage
    [model] = listed.models
    assert (model.model_id, model.kind, model.engine, model.context_length) == ("tiny", MODEL_KIND_LLM, "mesh", CONTEXT)
    assert list(model.replicas) == [Replica(address=worker, state=MODEL_STATE_READY)]


async def test_a_front_calls_workers_as_its_caller_and_for_its_upkeep_as_itself(folder: Path, tmp_path: Path) -> None:
    secret = "s" * 32
    caller = AuthConfig(mesh_secrets=(secret,)).companion("test", LOCAL)
    stranger = AuthConfig(mesh_secrets=(secret,)).companion("test", Identity("x", "x", frozenset({"models:read"})))
    assert caller is not None
    assert stranger is not None
    request = pb.CompletionRequest(
        model="tiny", content=Content(text="a"), sampling_params=SamplingParams(max_tokens=1)
    )
    async with (
        service(tmp_path / "worker", MODEL=str(folder), ENGINE="transformers", SECRET=secret) as worker,
        service(tmp_path / "front", MODEL="", REMOTE_MODELS=f"tiny={worker}", SECRET=secret) as front,
        Client(ClientConfig(), [caller]) as client,
        Client(ClientConfig(), [stranger]) as other,
    ):
        response = await InferenceServiceStub(client.channel(front)).Completion(request)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await InferenceServiceStub(other.channel(front)).Completion(request)
    assert response.usage.completion_tokens == 1
    assert isinstance(from_rpc(refused.value), MissingScope)


async def test_a_model_answers_to_its_aliases(folder: Path, tmp_path: Path) -> None:
    params = SamplingParams(max_tokens=4)
    names = ("tiny", "llama3_8b_chat", "llama3_70b_chat")
    settings = {"MODEL": str(folder), "ENGINE": "transformers", "MODEL_ALIASES": ",".join(names[1:])}
    async with service(tmp_path / "worker", **settings) as worker, Client(ClientConfig()) as client:
        stub = InferenceServiceStub(client.channel(worker))
        answers = [
            await stub.Completion(pb.CompletionRequest(model=name, content=Content(text="a"), sampling_params=params))
            for name in names
        ]
        [listed] = (await ModelsServiceStub(client.channel(worker)).ListModels(ListModelsRequest())).models
    assert answers[0] == answers[1] == answers[2]
    assert (listed.model_id, list(listed.aliases)) == ("tiny", list(names[1:]))


async def test_a_tenant_at_its_limit_is_told_when_to_come_back_and_others_are_let_in(
    folder: Path, tmp_path: Path
) -> None:
    secret = "s" * 32
    config = AuthConfig(mesh_secrets=(secret,))
    scopes = frozenset({"inference:use"})
    tenants = [config.companion("test", Identity(f"user:{name}", name, scopes)) for name in ("a", "b")]
    params = SamplingParams(max_tokens=4000)
    long = pb.CompletionRequest(model="tiny", content=Content(text="a"), sampling_params=params)
    short = pb.CompletionRequest(model="tiny", content=Content(text="a"), sampling_params=SamplingParams(max_tokens=1))
    settings = {"MODEL": str(folder), "ENGINE": "transformers", "SECRET": secret, "MAX_REQUESTS_PER_TENANT": "2"}
    async with (
        service(tmp_path / "worker", **settings) as worker,
        Client(ClientConfig(), [known for known in tenants[:1] if known]) as one,
        Client(ClientConfig(), [known for known in tenants[1:] if known]) as other,
    ):
        stub = InferenceServiceStub(one.channel(worker))
        streams = [stub.StreamCompletion(long) for _ in range(2)]
        for stream in streams:
            await anext(aiter(stream))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Completion(short)
        let_in = await InferenceServiceStub(other.channel(worker)).Completion(short)
        for stream in streams:
            stream.cancel()
    error = from_rpc(refused.value)
    assert isinstance(error, QuotaExceeded)
    assert error.retry_after_s == 1.0
    assert let_in.usage.completion_tokens == 1


async def test_a_front_that_starts_before_its_worker_waits_for_it(folder: Path, tmp_path: Path) -> None:
    params = SamplingParams(max_tokens=1)
    request = pb.CompletionRequest(model="tiny", content=Content(text="a"), sampling_params=params)

    async def ask(worker: str) -> pb.CompletionResponse:
        async with (
            service(tmp_path / "front", MODEL="", REMOTE_MODELS=f"tiny={worker}") as front,
            Client(ClientConfig()) as client,
        ):
            return await InferenceServiceStub(client.channel(front)).Completion(request)

    async with service(tmp_path / "reserved", MODEL="") as address:
        pass
    async with asyncio.TaskGroup() as group:
        answer = group.create_task(ask(address))
        async with service(tmp_path / "worker", MODEL=str(folder), ENGINE="transformers", BIND=address):
            response = await answer
    assert response.usage.completion_tokens == 1


@pytest.mark.parametrize("text", ["tiny", "=host:1", "tiny=", "tiny=host:1|"])
def test_remote_models_name_a_model_and_its_addresses(text: str) -> None:
    with pytest.raises(ConfigError, match="REMOTE_MODELS"):
        load(InferenceConfig, {"ALTIPLANO_INFERENCE_REMOTE_MODELS": text}, service="inference")
