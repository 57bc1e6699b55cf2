"""Samples per second of an evaluation job, and answers per second of reward scoring, with a model of a known time.

The evaluation service and the datasets are real processes. The peer in the same run is a client that reads the same
rows of the same datasets service, asks the same model in batches of the same size, as many at once, and computes the
same measures by itself: without a job that goes on after a crash, samples in a database, a record, intervals and
reports. A job is timed from its request to its last log line. A job of half the samples before it tells what is taken
by each sample and what by the report.

Usage: ``python bench/eval.py [--samples 2000] [--model-ms 0,50] [--database URL]``; the default is a SQLite file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from llamastack.common.v1 import job_pb2 as job_states
from llamastack.common.v1.content_pb2 import Content, Url
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, UserMessage
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.datasets.v1 import dataset_pb2
from llamastack.datasets.v1 import dataset_requests_pb2 as datasets_pb
from llamastack.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from llamastack.evaluations.v1 import evaluation_pb2 as pb
from llamastack.evaluations.v1 import job_pb2
from llamastack.evaluations.v1.evaluations_service_pb2_grpc import EvaluationsServiceStub
from llamastack.inference.v1 import inference_pb2
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from llamastack.post_training.v1.checkpoint_pb2 import Checkpoint
from llamastack.reward_scoring.v1 import reward_pb2, reward_scoring_pb2
from llamastack.reward_scoring.v1.reward_scoring_service_pb2_grpc import RewardScoringServiceStub
from mesh.client import Client, ClientConfig
from services.eval.evaluations.squad import exact_match, f1

CONCURRENCY = 16
LANES = 2
MODEL = "words"
DATASET = "bench"
SCORED_AT_ONCE = 64
TEXT = dataset_pb2.TRAIN_EVAL_DATASET_COLUMN_TYPE_TEXT
METRICS = (pb.QUESTION_ANSWERING_METRIC_EM, pb.QUESTION_ANSWERING_METRIC_F1)


@dataclass(frozen=True)
class Mesh:
    """The services by their stubs."""

    datasets: Any
    model: Any
    evaluations: Any
    rewards: Any


@dataclass(frozen=True)
class Figures:
    """Samples per second of the peer, of a job and without its report, seconds of that, answers scored per second."""

    peer: float
    job: float
    scoring: float
    report: float
    rewards: float


def free_address() -> str:
    """Return an address on loopback that nobody listens on."""
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def process(log: Path, module: str, *arguments: str, **settings: str) -> Iterator[None]:
    """Run a module for the time of the block."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen")]), **settings}
    with log.open("ab") as out:
        running = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], env=environment, cwd=ROOT, stdout=out, stderr=out
        )
    try:
        yield
    finally:
        running.terminate()
        running.wait(60)


@contextmanager
def mesh(folder: Path, database: str, seconds: float) -> Iterator[dict[str, str]]:
    """Run the model, the datasets and the evaluations; yield their addresses."""
    addresses = {name: free_address() for name in ("inference", "training", "eval")}
    told = {f"ALTIPLANO_{name.upper()}_ADDRESS": address for name, address in addresses.items()}
    for name in ("training", "eval"):
        told |= {
            f"ALTIPLANO_{name.upper()}_BIND": addresses[name],
            f"ALTIPLANO_{name.upper()}_DATA": str(folder / name),
        }
    if database:
        told["ALTIPLANO_DATABASE_URL"] = database
    log = folder / "log"
    with (
        process(log, "bench.evaluation.model", addresses["inference"], str(seconds)),
        process(log, "services.training", **told),
        process(log, "services.eval", **told),
    ):
        yield addresses


async def serving(client: Client, address: str) -> None:
    """Wait until a service says that it serves."""
    stub: Any = HealthStub(client.channel(address))
    await stub.Check(HealthCheckRequest(), wait_for_ready=True, timeout=120)


async def fill(stub: Any, samples: int) -> None:
    """Store the questions, of which every other one is answered rightly."""
    lines = "".join(
        json.dumps({"question": f"After {number} comes {number + 1}", "answer": f"{number + 1 + number % 2}"}) + "\n"
        for number in range(samples)
    )
    url = f"data:application/jsonl;base64,{b64encode(lines.encode()).decode()}"
    dataset = dataset_pb2.TrainEvalDataset(columns={"question": TEXT, "answer": TEXT}, content_url=Url(uri=url))
    await stub.CreateDataset(datasets_pb.CreateDatasetRequest(uuid=DATASET, dataset=dataset))


async def rows(stub: Any) -> AsyncIterator[tuple[str, str]]:
    """Yield the questions with their answers."""
    async for answer in stub.ReadDataset(datasets_pb.ReadDatasetRequest(dataset_uuid=DATASET)):
        for row in answer.rows:
            yield row.fields["question"].string_value, row.fields["answer"].string_value


async def alone(services: Mesh, samples: int) -> float:
    """Return the samples per second of the peer."""
    began, waiting = time.perf_counter(), rows(services.datasets)
    turn, scores = asyncio.Lock(), []

    async def lane() -> None:
        while True:
            async with turn:
                batch = [row async for _, row in azip(CONCURRENCY // LANES, waiting)]
            if not batch:
                return
            asked = [Message(user=UserMessage(content=Content(text=question))) for question, _ in batch]
            request = inference_pb2.BatchChatCompletionRequest(
                model=MODEL, messages_batch=[inference_pb2.MessageList(messages=[each]) for each in asked]
            )
            async for item in services.model.StreamBatchChatCompletion(request):
                said = item.response.completion_message.content.text
                reference = [batch[item.index][1]]
                scores.append((exact_match(said, reference), f1(said, reference)))

    await asyncio.gather(*(lane() for _ in range(LANES)))
    assert len(scores) == samples
    return samples / (time.perf_counter() - began)


async def azip(count: int, source: AsyncIterator[tuple[str, str]]) -> AsyncIterator[tuple[int, tuple[str, str]]]:
    """Yield so many of the next rows, fewer at the end."""
    for number in range(count):
        row = await anext(source, None)
        if row is None:
            return
        yield number, row


async def job(services: Mesh, samples: int, uuid: str) -> float:
    """Return the seconds of a job on the first samples."""
    request = pb.EvaluateQuestionAnsweringRequest(
        job_uuid=uuid,
        dataset=dataset_pb2.TrainEvalDataset(content_url=Url(uri=f"dataset:{DATASET}")),
        checkpoint=Checkpoint(model=MODEL),
        sampling_params=SamplingParams(max_tokens=16),
        metrics=METRICS,
        options=pb.EvaluationOptions(prompt_template="{question}", concurrency=CONCURRENCY, max_samples=samples),
    )
    began = time.perf_counter()
    await services.evaluations.EvaluateQuestionAnswering(request)
    async for _ in services.evaluations.FollowJobLogs(job_pb2.GetEvaluationJobLogsRequest(job_uuid=uuid)):
        pass
    took = time.perf_counter() - began
    status = await services.evaluations.GetJobStatus(job_pb2.GetEvaluationJobStatusRequest(job_uuid=uuid))
    assert (status.state, status.samples.done) == (job_states.JOB_STATE_COMPLETED, samples), status
    return took


async def scored(services: Mesh, samples: int) -> float:
    """Return the answers per second that reward scoring compares with references."""
    question = Message(user=UserMessage(content=Content(text="What comes after 6?")))
    answers = [Message(completion=CompletionMessage(content=Content(text=text))) for text in ("7", "8", "The 7.", "no")]
    dialog = reward_scoring_pb2.DialogGenerations(dialog=[question], sampled_generations=answers, reference="7")
    request = reward_scoring_pb2.RewardScoringRequest(
        dialog_generations=[dialog] * SCORED_AT_ONCE,
        reward=reward_pb2.RewardFunction(exact_match=reward_pb2.ExactMatchReward(normalize=True)),
    )
    # what checks is started by the first call
    first = await services.rewards.Score(request)
    assert [one.score for one in first.scored_generations[0].scored_generations] == [1.0, 0.0, 1.0, 0.0]
    calls = max(1, samples // SCORED_AT_ONCE)
    began = time.perf_counter()
    for _ in range(calls):
        await services.rewards.Score(request)
    return calls * SCORED_AT_ONCE * len(answers) / (time.perf_counter() - began)


async def measure(addresses: dict[str, str], samples: int) -> Figures:
    """Return what the peer, jobs and reward scoring do."""
    async with Client(ClientConfig()) as client:
        await asyncio.gather(*(serving(client, address) for address in addresses.values()))
        channels = {name: client.channel(address) for name, address in addresses.items()}
        services = Mesh(
            DatasetsServiceStub(channels["training"]),
            InferenceServiceStub(channels["inference"]),
            EvaluationsServiceStub(channels["eval"]),
            RewardScoringServiceStub(channels["eval"]),
        )
        await fill(services.datasets, samples)
        before = await alone(services, samples)
        # what plots is loaded by the first report
        await job(services, samples // 4, "first")
        half, whole = await job(services, samples // 2, "half"), await job(services, samples, "whole")
        after = await alone(services, samples)
        each = (whole - half) / (samples - samples // 2)
        return Figures(
            (before + after) / 2, samples / whole, 1 / each, whole - samples * each, await scored(services, samples)
        )


def main() -> None:
    """Print a line for each time that the model takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--model-ms", default="0,50")
    parser.add_argument("--database", default="")
    options = parser.parse_args()
    print(f"samples a second, {CONCURRENCY} at once; peer: without job, database, record and report")
    print("model ms      peer       job   ratio   scoring   report s   rewards: answers a second")
    for milliseconds in map(float, options.model_ms.split(",")):
        with tempfile.TemporaryDirectory() as folder, mesh(Path(folder), options.database, milliseconds / 1e3) as found:
            got = asyncio.run(measure(found, options.samples))
        print(
            f"{milliseconds:8.0f} {got.peer:9.0f} {got.job:9.0f} {got.job / got.peer:7.2f} {got.scoring:9.0f}"
            f" {got.report:10.1f} {got.rewards:9.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
