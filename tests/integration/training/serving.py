"""The training service on a real channel, with scripted services behind other ones."""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.parse
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest

from llamastack.agents.v1.agentic_system_service_pb2_grpc import add_AgenticSystemServiceServicer_to_server
from llamastack.common.v1.content_pb2 import Url
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.datasets.v1 import dataset_pb2, dataset_requests_pb2
from llamastack.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from llamastack.models.v1.models_service_pb2_grpc import add_ModelsServiceServicer_to_server
from llamastack.observability.v1.observability_service_pb2_grpc import add_ObservabilityServiceServicer_to_server
from llamastack.reward_scoring.v1.reward_scoring_service_pb2_grpc import add_RewardScoringServiceServicer_to_server
from llamastack.synthetic_data_generation.v1.synthetic_data_generation_service_pb2_grpc import (
    SyntheticDataGenerationServiceStub,
)
from mesh.client import Client, ClientConfig
from mesh.config import load
from mesh.errors import MeshError, from_rpc
from mesh.json_text import Loose, value_of
from mesh.telemetry.process import ProcessTelemetry
from mesh.testing import mesh_of
from services.training.app import App
from services.training.config import TrainingConfig
from tests.integration.training.peers import (
    ScriptedAgents,
    ScriptedInference,
    ScriptedModels,
    ScriptedObservability,
    ScriptedScoring,
)

if TYPE_CHECKING:
    from llamastack.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceAsyncStub
    from llamastack.synthetic_data_generation.v1.synthetic_data_generation_service_pb2_grpc import (
        SyntheticDataGenerationServiceAsyncStub,
    )

DIALOG = dataset_pb2.TRAIN_EVAL_DATASET_COLUMN_TYPE_DIALOG
TEXT = dataset_pb2.TRAIN_EVAL_DATASET_COLUMN_TYPE_TEXT
MEDIA = dataset_pb2.TRAIN_EVAL_DATASET_COLUMN_TYPE_MEDIA
NUMBER = dataset_pb2.TRAIN_EVAL_DATASET_COLUMN_TYPE_NUMBER
JSON = dataset_pb2.TRAIN_EVAL_DATASET_COLUMN_TYPE_JSON
WAIT_S = 60


@dataclass
class Peers:
    """The scripted services and where they are."""

    inference: ScriptedInference = field(default_factory=ScriptedInference)
    scoring: ScriptedScoring = field(default_factory=ScriptedScoring)
    agents: ScriptedAgents = field(default_factory=ScriptedAgents)
    observability: ScriptedObservability = field(default_factory=ScriptedObservability)
    address: str = ""


@asynccontextmanager
async def peers() -> AsyncIterator[Peers]:
    """Serve the scripted services, all at one address."""
    made = Peers()
    services: Mapping[Any, Any] = {
        add_InferenceServiceServicer_to_server: made.inference,
        add_ModelsServiceServicer_to_server: ScriptedModels(),
        add_RewardScoringServiceServicer_to_server: made.scoring,
        add_AgenticSystemServiceServicer_to_server: made.agents,
        add_ObservabilityServiceServicer_to_server: made.observability,
    }
    async with mesh_of(services) as mesh:
        made.address = mesh.address
        yield made


def settings(data: Path, behind: Peers, **others: str) -> dict[str, str]:
    """Return the environment of a training service."""
    return {
        "ALTIPLANO_TRAINING_DATA": str(data),
        "ALTIPLANO_TRAINING_BIND": "127.0.0.1:0",
        "ALTIPLANO_TRAINING_DRAIN_GRACE_S": "0",
        "ALTIPLANO_TRAINING_GENERATION_MODEL_ID": "llama",
        "ALTIPLANO_TRAINING_FILE_ROOTS": str(data.parent / "files"),
        "ALTIPLANO_INFERENCE_ADDRESS": behind.address,
        "ALTIPLANO_AGENTS_ADDRESS": behind.address,
        "ALTIPLANO_EVAL_ADDRESS": behind.address,
    } | others


@dataclass
class Served:
    """A running training service and what is behind it."""

    app: App
    client: Client
    peers: Peers
    data: Path

    @property
    def address(self) -> str:
        """Where it is."""
        return self.app.server.address

    @property
    def datasets(self) -> DatasetsServiceAsyncStub:
        """Its datasets."""
        return DatasetsServiceStub(self.client.channel(self.address))

    @property
    def synthetic(self) -> SyntheticDataGenerationServiceAsyncStub:
        """Its generation of data."""
        return SyntheticDataGenerationServiceStub(self.client.channel(self.address))

    async def create(
        self, uuid: str, url: str, columns: Mapping[str, Any], **metadata: Loose
    ) -> dataset_pb2.DatasetRevision:
        """Make a dataset."""
        request = dataset_requests_pb2.CreateDatasetRequest(uuid=uuid, dataset=described(url, columns, **metadata))
        return (await self.datasets.CreateDataset(request)).revision

    async def revise(self, uuid: str, url: str, columns: Mapping[str, Any]) -> dataset_pb2.DatasetRevision:
        """Add a revision."""
        request = dataset_requests_pb2.ReviseDatasetRequest(dataset_uuid=uuid, dataset=described(url, columns))
        return (await self.datasets.ReviseDataset(request)).revision

    async def rows(self, uuid: str, revision: str | None = None) -> list[dict[str, JsonValue]]:
        """Return all rows of a dataset."""
        request = dataset_requests_pb2.ReadDatasetRequest(dataset_uuid=uuid, revision=revision)
        return [dict(row.fields) async for batch in self.datasets.ReadDataset(request) for row in batch.rows]


@asynccontextmanager
async def serving(data: Path, calls: Client | None = None, **others: str) -> AsyncIterator[Served]:
    """Serve training with its data in a folder; ``calls`` is the client of the test, made if it is not given."""
    async with peers() as behind:
        config = load(TrainingConfig, settings(data, behind, **others), service="training")
        app = App(config, ProcessTelemetry(config.telemetry, "training"))
        await app.begin()
        await app.server.start()
        try:
            async with calls or Client(ClientConfig()) as client:
                yield Served(app, client, behind, data)
        finally:
            await app.server.stop()
            await app.stop()


def described(url: str, columns: Mapping[str, Any], **metadata: Loose) -> dataset_pb2.TrainEvalDataset:
    """Return the description of a dataset."""
    values = {name: value_of(value) for name, value in metadata.items()}
    return dataset_pb2.TrainEvalDataset(columns=columns, content_url=Url(uri=url), metadata=values)


def jsonl(rows: Sequence[Any]) -> str:
    """Return a data: URL of rows."""
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    return f"data:application/jsonl,{urllib.parse.quote(lines)}"


def loose(row: Mapping[str, Loose]) -> dict[str, JsonValue]:
    """Return a row as it is sent."""
    return {name: value_of(value) for name, value in row.items()}


async def refused(call: Any) -> MeshError:
    """Return the error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc(caught.value)


async def told(call: Any) -> tuple[str, str]:
    """Return the code and the message that a call ends with."""
    error = await refused(call)
    return error.code.name, error.message


async def until(true: Any, seconds: float = WAIT_S) -> Any:
    """Wait until an asynchronous condition gives something true, and return that."""
    end = time.monotonic() + seconds
    while not (found := await true()):
        assert time.monotonic() < end, "it did not come true"
        await asyncio.sleep(0.02)
    return found


def environment(others: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process of the project."""
    root = Path(__file__).resolve().parents[3]
    return {"PATH": os.environ["PATH"], "PYTHONPATH": f"{root}:{root / 'gen'}", "NO_COLOR": "1", **others}
