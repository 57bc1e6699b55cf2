"""The observability service on a real channel, over a database and a folder."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.observability.v1 import artifact_pb2, experiment_pb2, metric_pb2, trace_pb2
from llamastack.observability.v1.observability_service_pb2_grpc import (
    ObservabilityServiceStub,
    add_ObservabilityServiceServicer_to_server,
)
from mesh.client import Client
from mesh.errors import MeshError, from_rpc
from mesh.json_text import Loose, value_of
from mesh.migrations import migrate
from mesh.server import AddToServer, Attachments
from mesh.storage import Storage, StorageConfig
from mesh.testing import Mesh, mesh_of
from services.eval.observability.artifacts import Artifacts
from services.eval.observability.experiments import Experiments
from services.eval.observability.export import Export, Records, Trackers
from services.eval.observability.files import Files
from services.eval.observability.journal import Journal
from services.eval.observability.measurements import Measurements
from services.eval.observability.servicer import ObservabilityServicer, Record
from services.eval.observability.spans import Spans
from services.eval.observability.tables import MIGRATIONS

if TYPE_CHECKING:
    from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceAsyncStub

MIB = 1 << 20


@dataclass
class Recorded:
    """A running observability service; ``clock`` is its time, in Unix seconds."""

    mesh: Mesh
    storage: Storage
    record: Record
    clock: list[float]

    @property
    def stub(self) -> ObservabilityServiceAsyncStub:
        """The service as its callers see it."""
        made: ObservabilityServiceAsyncStub = self.mesh.stub(ObservabilityServiceStub)
        return made

    async def experiment(self, name: str = "answers", **metadata: Loose) -> experiment_pb2.Experiment:
        """Make an experiment."""
        self.clock[0] += 1
        return await self.stub.CreateExperiment(
            experiment_pb2.CreateExperimentRequest(name=name, metadata=values(**metadata))
        )

    async def run(self, experiment_id: str, **metadata: Loose) -> experiment_pb2.Run:
        """Make a run."""
        self.clock[0] += 1
        return await self.stub.CreateRun(
            experiment_pb2.CreateRunRequest(experiment_id=experiment_id, metadata=values(**metadata))
        )

    async def upload(self, experiment_id: str, name: str, content: bytes, **more: Any) -> artifact_pb2.Artifact:
        """Upload an artifact."""
        self.clock[0] += 1
        more = {"artifact_type": "other", **more}
        return await self.stub.UploadArtifact(
            artifact_pb2.UploadArtifactRequest(experiment_id=experiment_id, name=name, content=content, **more)
        )

    async def download(self, artifact_id: str, offset: int = 0) -> list[artifact_pb2.DownloadArtifactResponse]:
        """Download an artifact."""
        request = artifact_pb2.DownloadArtifactRequest(artifact_id=artifact_id, offset=offset)
        return [piece async for piece in self.stub.DownloadArtifact(request)]


@asynccontextmanager
async def recording(
    folder: Path,
    database_url: str = "",
    *,
    trackers: Trackers | None = None,
    attachments: Attachments | None = None,
    client: Client | None = None,
    files: Files | None = None,
) -> AsyncIterator[Recorded]:
    """Serve the record of a folder; links may lead into its ``linked``, and the store takes 4 MiB."""
    clock = [1_700_000_000.0]
    storage = Storage(StorageConfig(url=database_url or f"sqlite:///{folder}/eval.db"))
    await migrate(storage, [MIGRATIONS])
    files = files or Files((folder / "artifacts").as_uri(), [(folder / "linked").as_uri()])
    made = make_record(storage, files, clock, trackers)
    services: dict[AddToServer, Any] = {add_ObservabilityServiceServicer_to_server: ObservabilityServicer(made)}
    try:
        async with mesh_of(services, attachments=attachments, client=client) as mesh:
            yield Recorded(mesh, storage, made, clock)
    finally:
        await storage.close()


def make_record(storage: Storage, files: Files, clock: list[float], trackers: Trackers | None = None) -> Record:
    """Return a record over a database and a store of files."""
    experiments, measurements = Experiments(storage, lambda: clock[0]), Measurements(storage)
    artifacts = Artifacts(storage, files, 4 * MIB, lambda: clock[0])
    export = Export(Records(experiments, measurements, artifacts), trackers or Trackers())
    return Record(experiments, measurements, artifacts, Journal(storage, 0.05), Spans(storage), export)


def values(**loose: Loose) -> dict[str, JsonValue]:
    """Return JSON values by name."""
    return {name: value_of(value) for name, value in loose.items()}


def at(seconds: float) -> Timestamp:
    """Return a time, in Unix seconds."""
    made = Timestamp()
    made.FromMicroseconds(round(seconds * 1e6))
    return made


def metric(run_id: str, name: str, value: float, *, when: float = 1.0, step: int | None = None) -> metric_pb2.Metric:
    """Return a measurement."""
    return metric_pb2.Metric(
        name=name, value=metric_pb2.MetricValue(number=value), timestamp=at(when), run_id=run_id, step=step
    )


def span(number: int, name: str = "work", *, trace: int = 1, when: float | None = None, **more: Any) -> trace_pb2.Span:
    """Return a span of a trace."""
    began = float(number) if when is None else when
    return trace_pb2.Span(
        trace_id=f"{trace:032x}",
        span_id=f"{number:016x}",
        name=name,
        started_at=at(began),
        ended_at=at(began + 0.5),
        **more,
    )


async def refused(call: Any) -> MeshError:
    """Return the error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc(caught.value)


def now() -> float:
    """Return the time, in Unix seconds."""
    return time.time()
