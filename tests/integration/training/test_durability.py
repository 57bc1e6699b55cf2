"""The training service as a process that is killed: a generation job goes on, and generates nothing twice."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio

from llamastack.common.v1 import job_pb2
from llamastack.datasets.v1 import dataset_pb2
from llamastack.datasets.v1 import dataset_requests_pb2 as datasets_pb
from llamastack.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from llamastack.synthetic_data_generation.v1 import job_pb2 as jobs_pb
from llamastack.synthetic_data_generation.v1 import synthetic_data_pb2 as pb
from llamastack.synthetic_data_generation.v1.synthetic_data_generation_service_pb2_grpc import (
    SyntheticDataGenerationServiceStub,
)
from mesh.client import Client, ClientConfig
from tests.integration.training.peers import ScriptedInference
from tests.integration.training.serving import TEXT, Peers, described, environment, jsonl, loose, peers, settings, until

PROMPTS = 200
ROUNDS = 3
FINAL = (job_pb2.JOB_STATE_COMPLETED, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED)


@asynccontextmanager
async def process(data: Path, behind: Peers) -> AsyncIterator[Process]:
    """Run the service for the time of the block; it is killed at its end."""
    others = {
        "ALTIPLANO_TRAINING_BIND": f"unix:{data.parent}/socket",
        "ALTIPLANO_TRAINING_GENERATION_LEASE_S": "1",
        "ALTIPLANO_TRAINING_GENERATION_BATCH": "8",
        "ALTIPLANO_TRAINING_LOG_LEVEL": "error",
    }
    (data.parent / "socket").unlink(missing_ok=True)
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.training"),
        env=environment(settings(data, behind, **others)),
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.send_signal(signal.SIGKILL)
        await running.wait()


async def created(address: str) -> None:
    """Make a dataset and a job, as soon as the service is there."""
    async with Client(ClientConfig()) as client:
        datasets = DatasetsServiceStub(client.channel(address))
        rows = jsonl([{"prompt": f"p{number}"} for number in range(PROMPTS)])
        request = datasets_pb.CreateDatasetRequest(uuid="prompts", dataset=described(rows, {"prompt": TEXT}))
        await datasets.CreateDataset(request, wait_for_ready=True, timeout=60)
        job = jobs_pb.CreateSyntheticDataJobRequest(
            job_uuid="j",
            dataset=described("dataset:prompts", {}),
            filtering_function=pb.FILTERING_FUNCTION_NONE,
            settings=pb.GenerationSettings(num_samples=2, deduplicate=False),
            output_dataset_uuid="out",
        )
        await SyntheticDataGenerationServiceStub(client.channel(address)).CreateJob(job)


async def samples(inference: ScriptedInference, more: int) -> None:
    """Wait until some more samples have been asked for, or none is asked for any more."""
    wanted = min(sum(inference.asked.values()) + more, 2 * PROMPTS)

    async def enough() -> bool:
        return sum(inference.asked.values()) >= wanted

    await until(enough)


async def finished(address: str) -> jobs_pb.SyntheticDataJob:
    """Wait for the end of the job."""
    async with Client(ClientConfig()) as client:
        stub = SyntheticDataGenerationServiceStub(client.channel(address))

        async def look() -> jobs_pb.SyntheticDataJob | None:
            try:
                found = await stub.GetJobStatus(
                    jobs_pb.GetSyntheticDataJobRequest(job_uuid="j"), wait_for_ready=True, timeout=60
                )
            except grpc.aio.AioRpcError:
                return None
            return found if found.state in FINAL else None

        found = await until(look)
        assert isinstance(found, jobs_pb.SyntheticDataJob)
        return found


async def test_a_job_outlives_its_process_and_asks_for_no_kept_answer_again(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/socket"
    async with peers() as behind:
        gate = behind.inference.gate = asyncio.Event()
        behind.inference.answer = lambda text, number: text
        for round_ in range(ROUNDS):
            async with process(tmp_path / "data", behind) as running:
                if round_ == 0:
                    await created(address)
                gate.set()
                await samples(behind.inference, 60)
                running.send_signal(signal.SIGKILL)
                await running.wait()
        async with process(tmp_path / "data", behind), Client(ClientConfig()) as client:
            done = await finished(address)
            assert (done.state, done.output.revision) == (job_pb2.JOB_STATE_COMPLETED, "1")
            assert done.output.num_rows == 2 * PROMPTS
            datasets = DatasetsServiceStub(client.channel(address))
            rows = [
                dict(row.fields)
                async for part in datasets.ReadDataset(datasets_pb.ReadDatasetRequest(dataset_uuid="out"))
                for row in part.rows
            ]
            listed = await datasets.ListDatasetRevisions(datasets_pb.ListDatasetRevisionsRequest(dataset_uuid="out"))
        assert [revision.origin for revision in listed.revisions] == [dataset_pb2.DATASET_ORIGIN_JOB]
        assert rows == [loose({"dialog": _answered(f"p{n // 2}"), "score": 0}) for n in range(2 * PROMPTS)]
        again = sum(behind.inference.asked.values()) - 2 * PROMPTS
        # at each death two calls of 8 samples were under way, and up to 32 answers were on their way to the database
        assert 0 <= again <= ROUNDS * 48


def _answered(text: str) -> list[dict[str, object]]:
    answer = {"role": "assistant", "content": text, "stop_reason": "end_of_turn", "tool_calls": []}
    return [{"role": "user", "content": text}, answer]
