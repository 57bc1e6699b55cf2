"""What each service is asked for while its replicas are replaced, and what it needs around it.

Every service is asked for something that changes its state and that clients never repeat by themselves, for something
that only reads, and for streams that take longer than a replica has for its end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, TypeAlias

from bench.restarts.balanced import Balanced
from bench.restarts.model import MODEL
from bench.restarts.places import Place
from bench.restarts.work import StreamBroken, Work
from llamastack.agents.v1 import config_pb2, session_pb2, turn_pb2
from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceStub
from llamastack.common.v1.content_pb2 import Content, Url
from llamastack.common.v1.message_pb2 import Message, UserMessage
from llamastack.datasets.v1 import dataset_pb2, dataset_requests_pb2
from llamastack.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from llamastack.inference.v1 import inference_pb2
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from llamastack.memory.v1 import bank_pb2, document_pb2, query_pb2
from llamastack.memory.v1.memory_banks_service_pb2_grpc import MemoryBanksServiceStub
from llamastack.models.v1 import models_pb2
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub
from llamastack.observability.v1 import experiment_pb2, log_pb2, metric_pb2
from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceStub
from llamastack.post_training.v1 import job_pb2
from llamastack.post_training.v1.post_training_service_pb2_grpc import PostTrainingServiceStub
from mesh.client import Client

TIMEOUT_S: Final = 30.0
ROWS: Final = 4000
READ_PAUSE_S: Final = 0.1
"""Seconds that a reader of rows takes for a message, so that the service waits for it."""


@dataclass(frozen=True)
class Around:
    """What is there besides the service: a database, the address of a model, and a vector store's URL and key."""

    database: str
    model: str
    vectors: str
    vectors_key: str


Settings: TypeAlias = Callable[[Around], dict[str, str]]
Begin: TypeAlias = Callable[[Client, list[Place]], Awaitable[Work]]


@dataclass(frozen=True)
class Duty:
    """The settings of a service's replicas by their whole names, and what prepares the work of its callers."""

    settings: Settings
    begin: Begin


def target(found: list[Place]) -> str:
    """Return both places as one gRPC target."""
    return "ipv4:" + ",".join(f"127.0.0.1:{place.port}" for place in found)


def shared(service: str) -> Settings:
    """Return the settings of a service that shares its state by the database and its folder."""

    def settings(around: Around) -> dict[str, str]:
        prefix = f"ALTIPLANO_{service.upper()}_"
        return {
            f"{prefix}DATABASE_URL": around.database,
            f"{prefix}REPLICAS": "2",
            "ALTIPLANO_INFERENCE_ADDRESS": around.model,
        }

    return settings


def inference(around: Around) -> dict[str, str]:
    """Return the settings of a front: its models run elsewhere, and it keeps nothing that replicas would share."""
    return {
        "ALTIPLANO_INFERENCE_MODEL": "",
        "ALTIPLANO_INFERENCE_EMBEDDING_MODEL": "",
        "ALTIPLANO_INFERENCE_REMOTE_MODELS": f"{MODEL}={around.model}",
    }


def memory(around: Around) -> dict[str, str]:
    """Return the settings over a vector store of its own: the embedded one has one owner."""
    own = {"ALTIPLANO_MEMORY_QDRANT_URL": around.vectors, "ALTIPLANO_MEMORY_QDRANT_API_KEY": around.vectors_key}
    return shared("memory")(around) | own


def gateway(around: Around) -> dict[str, str]:
    """Return the settings of a gateway before a model."""
    return {"ALTIPLANO_GATEWAY_UPSTREAMS": f"inference={around.model},models={around.model}"}


async def chats(client: Client, found: list[Place]) -> Work:
    """Ask a model through the inference service."""
    channel = client.channel(target(found))
    stub: Any = InferenceServiceStub(channel)
    models: Any = ModelsServiceStub(channel)
    await stub.ChatCompletion(_chat(), wait_for_ready=True)
    return Work(
        calls=(
            lambda caller, step: stub.ChatCompletion(_chat(), timeout=TIMEOUT_S),
            lambda caller, step: models.GetModel(models_pb2.GetModelRequest(model_id=MODEL), timeout=TIMEOUT_S),
        ),
        stream=lambda: stub.StreamChatCompletion(_chat()),
    )


async def turns(client: Client, found: list[Place]) -> Work:
    """Begin sessions and run turns in them, some of which stream slowly."""
    stub: Any = AgenticSystemServiceStub(client.channel(target(found)))
    instance = config_pb2.AgenticSystemInstanceConfig(instructions="Be brief.")
    made = await stub.CreateAgenticSystem(
        config_pb2.AgenticSystemCreateRequest(model=MODEL, instance_config=instance), wait_for_ready=True
    )
    sessions: dict[int, str] = {}

    async def session(caller: int, step: int) -> None:
        request = session_pb2.AgenticSystemSessionCreateRequest(system_id=made.system_id, session_name="talk")
        sessions[caller] = (await stub.CreateSession(request, timeout=TIMEOUT_S)).session_id

    async def turn(caller: int, step: int) -> None:
        if caller in sessions:
            await stub.CreateTurn(_turn(made.system_id, sessions[caller], "quick"), timeout=TIMEOUT_S)

    async def get(caller: int, step: int) -> None:
        if caller in sessions:
            request = session_pb2.GetSessionRequest(agent_id=made.system_id, session_id=sessions[caller])
            await stub.GetSession(request, timeout=TIMEOUT_S)

    async def stream() -> AsyncIterator[Any]:
        request = session_pb2.AgenticSystemSessionCreateRequest(system_id=made.system_id, session_name="talk")
        begun = await stub.CreateSession(request, timeout=TIMEOUT_S)
        async for chunk in stub.StreamCreateTurn(_turn(made.system_id, begun.session_id, "slow")):
            yield chunk

    return Work((session, turn, get), stream)


async def documents(client: Client, found: list[Place]) -> Work:
    """Insert documents, one by one and many in a stream, and search for them."""
    stub: Any = MemoryBanksServiceStub(client.channel(target(found)))
    config = bank_pb2.MemoryBankConfig(vector={"embedding_model": MODEL})
    await stub.CreateMemoryBank(
        bank_pb2.CreateMemoryBankRequest(bank_id="rolling", bank_name="rolling", config=config), wait_for_ready=True
    )
    batches = count()

    def insert(caller: int, step: int) -> Awaitable[Any]:
        made = _document(f"{caller}-{step}")
        return stub.InsertDocuments(
            document_pb2.InsertDocumentsRequest(bank_id="rolling", documents=[made]), timeout=TIMEOUT_S
        )

    def search(caller: int, step: int) -> Awaitable[Any]:
        query = query_pb2.QueryText(text=f"document {caller}")
        return stub.QueryMemoryBank(query_pb2.QueryMemoryBankRequest(bank_id="rolling", query=query), timeout=TIMEOUT_S)

    def stream() -> AsyncIterator[Any]:
        batch = next(batches)
        made = [_document(f"batch-{batch}-{number}") for number in range(100)]
        return stub.StreamInsertDocuments(document_pb2.InsertDocumentsRequest(bank_id="rolling", documents=made))

    return Work((insert, search), stream)


async def datasets(client: Client, found: list[Place]) -> Work:
    """Make datasets, look at them and at jobs, and read rows slowly."""
    channel = client.channel(target(found))
    stub: Any = DatasetsServiceStub(channel)
    jobs: Any = PostTrainingServiceStub(channel)
    await stub.CreateDataset(_dataset("rolling", ROWS), wait_for_ready=True)
    get = dataset_requests_pb2.GetDatasetRequest(dataset_uuid="rolling")

    async def create(caller: int, step: int) -> None:
        # reading a dataset takes a process of its own: now and then is enough
        if step % 40 == caller:
            await stub.CreateDataset(_dataset(f"{caller}-{step}", 2), timeout=TIMEOUT_S)

    async def rows() -> AsyncIterator[Any]:
        async for page in stub.ReadDataset(dataset_requests_pb2.ReadDatasetRequest(dataset_uuid="rolling")):
            yield page
            await asyncio.sleep(READ_PAUSE_S)

    return Work(
        calls=(
            create,
            lambda caller, step: stub.GetDataset(get, timeout=TIMEOUT_S),
            lambda caller, step: jobs.ListJobs(job_pb2.ListPostTrainingJobsRequest(), timeout=TIMEOUT_S),
        ),
        stream=rows,
    )


async def metrics(client: Client, found: list[Place]) -> Work:
    """Log and read metrics, and follow logs."""
    stub: Any = ObservabilityServiceStub(client.channel(target(found)))
    made = await stub.CreateExperiment(experiment_pb2.CreateExperimentRequest(name="rolling"), wait_for_ready=True)
    run = await stub.CreateRun(experiment_pb2.CreateRunRequest(experiment_id=made.id))
    # a stream with a message is one that no client begins anew by itself
    log = log_pb2.Log(message="begun", level="info")
    log.timestamp.GetCurrentTime()
    await stub.LogMessages(log_pb2.LogMessagesRequest(logs=[log]))

    def write(caller: int, step: int) -> Awaitable[Any]:
        value = metric_pb2.MetricValue(integer=step)
        metric = metric_pb2.Metric(name=f"m{caller}", value=value, run_id=run.id)
        metric.timestamp.GetCurrentTime()
        return stub.LogMetrics(metric_pb2.LogMetricsRequest(run_id=run.id, metrics=[metric]), timeout=TIMEOUT_S)

    return Work(
        calls=(
            write,
            lambda caller, step: stub.GetRun(experiment_pb2.GetRunRequest(run_id=run.id), timeout=TIMEOUT_S),
        ),
        stream=lambda: stub.FollowLogs(log_pb2.LogSearchRequest(query="")),
    )


async def http_chats(client: Client, found: list[Place]) -> Work:
    """Ask a model over HTTP, by a client that knows both gateways' ports."""
    balanced = Balanced([f"http://127.0.0.1:{place.port}" for place in found])
    body = {"model": MODEL, "messages": [{"role": "user", "content": "slow"}]}

    async def stream() -> AsyncIterator[str]:
        async for data in balanced.events("/inference/chat_completion", {**body, "stream": True}):
            if (error := json.loads(data).get("error")) is not None:
                raise StreamBroken(
                    next((one["reason"] for one in error["details"] if "reason" in one), error["status"])
                )
            yield data

    return Work(
        calls=(
            lambda caller, step: balanced.post("/inference/chat_completion", body),
            lambda caller, step: balanced.get(f"/models/get?model_id={MODEL}"),
        ),
        stream=stream,
        close=balanced.close,
    )


DUTIES: Final[Mapping[str, Duty]] = {
    "inference": Duty(inference, chats),
    "agents": Duty(shared("agents"), turns),
    "memory": Duty(memory, documents),
    "training": Duty(shared("training"), datasets),
    "eval": Duty(shared("eval"), metrics),
    "gateway": Duty(gateway, http_chats),
}


def _chat() -> inference_pb2.ChatCompletionRequest:
    said = Message(user=UserMessage(content=Content(text="slow")))
    return inference_pb2.ChatCompletionRequest(model=MODEL, messages=[said])


def _turn(system_id: str, session_id: str, text: str) -> turn_pb2.AgenticSystemTurnCreateRequest:
    said = turn_pb2.TurnInputMessage(user=UserMessage(content=Content(text=text)))
    return turn_pb2.AgenticSystemTurnCreateRequest(system_id=system_id, session_id=session_id, messages=[said])


def _document(name: str) -> document_pb2.MemoryBankDocument:
    content = document_pb2.DocumentContent(data=f"document {name} of the rolling restart".encode())
    return document_pb2.MemoryBankDocument(document_id=name, content=content, mime_type="text/plain")


def _dataset(name: str, rows: int) -> dataset_requests_pb2.CreateDatasetRequest:
    lines = "".join(json.dumps({"text": f"{number} {'x' * 1000}"}) + "\n" for number in range(rows))
    url = Url(uri=f"data:application/jsonl,{lines}")
    columns = {"text": dataset_pb2.TRAIN_EVAL_DATASET_COLUMN_TYPE_TEXT}
    return dataset_requests_pb2.CreateDatasetRequest(
        uuid=name, dataset=dataset_pb2.TrainEvalDataset(columns=columns, content_url=url)
    )
