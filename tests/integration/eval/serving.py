"""The evaluation service as its process runs it, before scripted peers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.common.v1.content_pb2 import Url
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.datasets.v1.dataset_pb2 import TrainEvalDataset
from llamastack.evaluations.v1 import evaluation_pb2, job_pb2
from llamastack.evaluations.v1.evaluations_service_pb2_grpc import EvaluationsServiceStub
from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceStub
from llamastack.post_training.v1.checkpoint_pb2 import Checkpoint
from mesh.client import Client, ClientConfig
from mesh.config import load
from mesh.json_text import Loose
from mesh.telemetry.process import ProcessTelemetry
from mesh.testing import mesh_of
from services.eval.app import App
from services.eval.config import EvalConfig
from tests.integration.eval.peers import Scripted

if TYPE_CHECKING:
    from llamastack.evaluations.v1.evaluations_service_pb2_grpc import EvaluationsServiceAsyncStub
    from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceAsyncStub

WAIT_S = 240
FINAL = {common_pb.JOB_STATE_COMPLETED, common_pb.JOB_STATE_FAILED, common_pb.JOB_STATE_CANCELLED}
EM, F1 = evaluation_pb2.QUESTION_ANSWERING_METRIC_EM, evaluation_pb2.QUESTION_ANSWERING_METRIC_F1


@dataclass
class Evaluating:
    """A running evaluation service and what is behind it."""

    client: Client
    address: str
    peers: Scripted

    @property
    def stub(self) -> EvaluationsServiceAsyncStub:
        """The evaluations as their callers see them."""
        made: EvaluationsServiceAsyncStub = EvaluationsServiceStub(self.client.channel(self.address))
        return made

    @property
    def record(self) -> ObservabilityServiceAsyncStub:
        """The record as its callers see it."""
        made: ObservabilityServiceAsyncStub = ObservabilityServiceStub(self.client.channel(self.address))
        return made

    async def status(self, uuid: str) -> job_pb2.EvaluationJobStatusResponse:
        """Return where a job is."""
        return await self.stub.GetJobStatus(job_pb2.GetEvaluationJobStatusRequest(job_uuid=uuid))

    async def ended(self, uuid: str) -> job_pb2.EvaluationJobStatusResponse:
        """Wait for a job's end by its log, and return where it is then."""
        async with asyncio.timeout(WAIT_S):
            async for _ in self.stub.FollowJobLogs(job_pb2.GetEvaluationJobLogsRequest(job_uuid=uuid)):
                pass
        return await self.status(uuid)

    async def scored(self, uuid: str, samples: int) -> None:
        """Wait until a job has scored so many samples."""
        for _ in range(20 * WAIT_S):
            if (await self.status(uuid)).samples.done >= samples:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{samples} samples were not scored in time")

    async def samples(self, uuid: str) -> Sequence[job_pb2.EvaluationSample]:
        """Return all samples of a job."""
        request = job_pb2.ListEvaluationSamplesRequest(job_uuid=uuid, page_size=1000)
        return list((await self.stub.ListJobSamples(request)).samples)

    async def answer(self, uuid: str, **more: Any) -> job_pb2.EvaluationJobStatusResponse:
        """Run an evaluation of question answering to its end."""
        await self.stub.EvaluateQuestionAnswering(questions(uuid, **more))
        return await self.ended(uuid)


@asynccontextmanager
async def evaluating(
    folder: Path, database_url: str = "", peers: Scripted | None = None, **settings: str
) -> AsyncIterator[Evaluating]:
    """Serve the evaluations of a folder, before these peers or fresh ones."""
    peers = peers or Scripted()
    async with mesh_of(peers.services()) as behind, running(folder, behind.address, database_url, **settings) as made:
        yield replace(made, peers=peers)


@asynccontextmanager
async def running(folder: Path, peers: str, database_url: str = "", **settings: str) -> AsyncIterator[Evaluating]:
    """Run the service before peers at an address."""
    environment = {
        "ALTIPLANO_EVAL_BIND": "127.0.0.1:0",
        "ALTIPLANO_EVAL_DATA": str(folder / "data"),
        "ALTIPLANO_EVAL_DRAIN_GRACE_S": "0",
        "ALTIPLANO_EVAL_JOB_POLL_S": "0.05",
        "ALTIPLANO_EVAL_JOB_LEASE_S": "2",
        **{f"ALTIPLANO_{name}_ADDRESS": peers for name in ("INFERENCE", "AGENTS", "MEMORY", "TRAINING", "EVAL")},
        **({"ALTIPLANO_EVAL_DATABASE_URL": database_url} if database_url else {}),
        **settings,
    }
    config = load(EvalConfig, environment, service="eval")
    app = App(config, ProcessTelemetry(config.telemetry, "eval"))
    await app.begin()
    await app.server.start()
    try:
        async with Client(ClientConfig()) as client:
            yield Evaluating(client, app.server.address, Scripted())
    finally:
        await app.server.stop()
        await app.stop()


def stored(uuid: str) -> TrainEvalDataset:
    """Return a stored dataset."""
    return TrainEvalDataset(content_url=Url(uri=f"dataset:{uuid}"))


def questions(
    uuid: str, *, dataset: str = "qa", model: str = "llama", metrics: Sequence[Any] = (EM, F1), **options: Any
) -> evaluation_pb2.EvaluateQuestionAnsweringRequest:
    """Return a request to evaluate question answering."""
    return evaluation_pb2.EvaluateQuestionAnsweringRequest(
        job_uuid=uuid,
        dataset=stored(dataset),
        checkpoint=Checkpoint(model=model),
        sampling_params=SamplingParams(max_tokens=16),
        metrics=metrics,
        options=evaluation_pb2.EvaluationOptions(
            **{"prompt_template": "{question}", "bootstrap_samples": 200, **options}
        ),
    )


def question(text: str, *answers: str) -> dict[str, Loose]:
    """Return a row of question answering."""
    return {"question": text, "answers": list(answers)}
