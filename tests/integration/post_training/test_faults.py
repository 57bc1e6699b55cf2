"""What dies and what goes on: a worker, the service, the Ray head; cancelling and resuming.

``ALTIPLANO_FAULT_ROUNDS=20 make long ARGS="-k whatever_is_killed"`` has twenty rounds in which one of them dies at a
random moment; without a number there are two.
"""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress

import grpc
import pytest

from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.datasets.v1.dataset_requests_pb2 import CreateDatasetRequest, DeleteDatasetRequest
from llamastack.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from llamastack.post_training.v1 import job_pb2 as pb
from tests.integration.post_training.service import Service, examples, sft

pytestmark = pytest.mark.timeout(1800)
ROUNDS = int(os.environ.get("ALTIPLANO_FAULT_ROUNDS", "2"))
CANCEL_S = 10.0
ROUND_STEPS = 300
# the share of the rounds in which something dies before the training has begun
STARTING = 0.3


def slay(process: int) -> None:
    """Kill a process that may be gone already."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def steps(service: Service, uuid: str) -> list[int]:
    """Return the steps that a job has measured, in their order."""
    metrics = service.stub.GetJobMetrics(pb.GetPostTrainingJobMetricsRequest(job_uuid=uuid)).metrics
    return [int(point.step) for point in metrics if "loss" in point.values]


@pytest.mark.long
def test_a_job_outlives_its_worker_its_service_and_its_head_and_is_cancelled_and_resumed(service: Service) -> None:
    request = sft("long", steps=4000, checkpoint_interval=20, max_checkpoints=3, evaluation_interval=1000)
    service.stub.SupervisedFineTune(request)
    service.reached("long", 25)

    for process in service.workers():
        slay(process)
    service.until(lambda: True if service.status("long").attempts == 2 else None)
    done = service.status("long").progress.steps.done
    service.kill()
    service.start()
    after = service.reached("long", int(done) + 30)
    assert after.state == common_pb.JOB_STATE_RUNNING
    assert after.progress.steps.eta_seconds > 0
    assert service.stub.SupervisedFineTune(request).job_uuid == "long"

    for process in service.head():
        slay(process)
    service.until(lambda: True if "the cluster lost the job" in service.log("long") else None)
    service.until(lambda: True if service.status("long").attempts == 3 else None)
    measured = len(steps(service, "long"))
    service.until(lambda: True if len(steps(service, "long")) > measured else None)

    began = time.monotonic()
    service.stub.CancelJob(pb.CancelPostTrainingJobRequest(job_uuid="long"))
    service.until(lambda: True if not service.workers() else None, CANCEL_S)
    assert time.monotonic() - began < CANCEL_S
    cancelled = service.ended("long")
    assert (cancelled.state, cancelled.status) == (
        common_pb.JOB_STATE_CANCELLED,
        pb.POST_TRAINING_JOB_STATUS_FAILED,
    )
    assert cancelled.failure == "cancelled by request"
    assert len(cancelled.checkpoints) == 3
    service.stub.CancelJob(pb.CancelPostTrainingJobRequest(job_uuid="long"))
    written = steps(service, "long")

    first = cancelled.checkpoints[0]
    resume = pb.ResumePostTrainingJobRequest(job_uuid="long", checkpoint_id=first.checkpoint_id)
    assert service.stub.ResumeJob(resume).state == common_pb.JOB_STATE_SCHEDULED
    service.until(lambda: True if len(steps(service, "long")) > len(written) else None)
    assert steps(service, "long")[len(written)] == first.iters + 1
    service.stub.CancelJob(pb.CancelPostTrainingJobRequest(job_uuid="long"))
    assert service.ended("long").state == common_pb.JOB_STATE_CANCELLED


def test_a_row_that_cannot_be_learnt_fails_the_job_with_its_reason(service: Service) -> None:
    datasets = DatasetsServiceStub(service.channel)
    datasets.CreateDataset(CreateDatasetRequest(uuid="unfit", dataset=examples()))
    stored = {folder.name for folder in (service.data / "datasets").iterdir()}
    request = sft("unfit", steps=2, max_sequence_length=3)
    request.dataset.content_url.uri = "dataset:unfit"
    service.stub.SupervisedFineTune(request)
    failed = service.ended("unfit")
    assert (failed.state, failed.status) == (common_pb.JOB_STATE_FAILED, pb.POST_TRAINING_JOB_STATUS_FAILED)
    assert failed.failure == "dataset: row 0 has nothing to learn within 3 tokens"
    assert failed.attempts == 1
    # a job that is over keeps nobody from deleting what it learnt from
    datasets.DeleteDataset(DeleteDatasetRequest(dataset_uuid="unfit"))
    left = {folder.name for folder in (service.data / "datasets").iterdir()}
    assert len(stored - left) == 1
    with pytest.raises(grpc.RpcError) as refusal:
        service.stub.ResumeJob(pb.ResumePostTrainingJobRequest(job_uuid="unfit"))
    assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert refusal.value.details() == (
        "dataset: the rows that the job began with are gone; dataset 'unfit' does not exist"
    )
    assert service.status("unfit") == failed


def moment(service: Service, uuid: str, chance: random.Random) -> None:
    """Wait for a random moment of a job: some line of its log while it starts, or some step of its training."""
    line, step = chance.randrange(6), chance.randrange(1, ROUND_STEPS)
    starting = chance.random() < STARTING

    def look() -> bool | None:
        there = len(service.log(uuid).splitlines()) >= line
        return True if there and (starting or service.status(uuid).progress.steps.done >= step) else None

    service.until(look)


def victims(service: Service, uuid: str, kind: str) -> list[int]:
    """Wait for the processes that train, or for the head, and return them; none if the job ends before."""

    def look() -> list[int] | None:
        over = service.status(uuid).HasField("completed_at")
        found = service.workers() if kind == "worker" else service.head()
        return found if found or over else None

    return service.until(look)


@pytest.mark.long
@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_job_ends_once_whatever_is_killed_and_whenever(service: Service, number: int) -> None:
    chance = random.Random(number)
    uuid = f"round-{number}"
    # twice as many as the last moment that is chosen: the job is not over when somebody dies
    request = sft(uuid, steps=2 * ROUND_STEPS, checkpoint_interval=50, evaluation_interval=1000)
    service.stub.SupervisedFineTune(request)
    moment(service, uuid, chance)
    victim = chance.choice(("service", "worker", "head"))
    if victim == "service":
        service.kill()
        service.start()
    else:
        for process in victims(service, uuid, victim):
            slay(process)
    # asked for a second time, it is the same job still
    assert service.stub.SupervisedFineTune(request, wait_for_ready=True).job_uuid == uuid
    ended = service.ended(uuid)
    assert ended.state == common_pb.JOB_STATE_COMPLETED or ended.failure
    log = service.log(uuid)
    assert log.count("training is complete") == (ended.state == common_pb.JOB_STATE_COMPLETED)
    told = service.peers.observability
    [run] = [run.id for run in told.runs if run.metadata["job_uuid"].string_value == uuid]
    assert len([update for update in told.updates if update.run_id == run]) == 1
    # nothing goes on behind the end
    assert service.status(uuid) == ended
