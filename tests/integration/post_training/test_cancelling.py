"""Cancelling a job ends what works for it within ten seconds, whatever it is at."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.post_training.v1 import job_pb2 as pb
from llamastack.post_training.v1 import training_config_pb2 as config_pb
from mesh.json_text import value_of
from services.training.cluster import head_keeper
from tests.integration.post_training.service import Service, running, sft

pytestmark = [pytest.mark.timeout(900), pytest.mark.long]
CANCEL_S = 10.0
FOREVER = 100_000
# the driver, and what it has Ray start: the processes of Ray are named after what they run
AT_WORK = (b"recipe.driver", b"TrainController", b"RayTrainWorker", b"ImplicitFunc", b"_trial")
OVER = ("STOPPED", "SUCCEEDED", "FAILED")


def at_work(service: Service) -> list[int]:
    """Return the processes that work for jobs."""
    return service.members(lambda line: any(mark in line for mark in AT_WORK))


def folder(service: Service, uuid: str) -> Path:
    """Return the folder of a job."""
    [found] = [file.parent for file in (service.data / "jobs").glob("*/*/job") if file.read_text() == uuid]
    return found


def is_starting(service: Service, uuid: str) -> bool:
    """Return whether the job is Ray's and no worker is there yet."""
    return bool(at_work(service)) and not service.workers()


def is_loading(service: Service, uuid: str) -> bool:
    """Return whether a worker is there that does not train yet."""
    return bool(service.workers()) and "training of" not in service.log(uuid)


def is_training(service: Service, uuid: str) -> bool:
    """Return whether some steps are done."""
    return service.status(uuid).progress.steps.done > 3


def is_saving(service: Service, uuid: str) -> bool:
    """Return whether a checkpoint is being written, not the first one."""
    found = folder(service, uuid)
    return any(found.glob("checkpoints/*")) and any(found.glob(".writing-*/checkpoint-*"))


def is_searching(service: Service, uuid: str) -> bool:
    """Return whether a trial of the search trains."""
    return any(folder(service, uuid).glob("trials/*/events.jsonl"))


def adapters(uuid: str) -> Any:
    """Return a request that trains until it is cancelled."""
    return sft(uuid, steps=FOREVER)


def often_saved(uuid: str) -> Any:
    """Return a request that writes all weights and the optimizer's state after every step."""
    request = sft(
        uuid, steps=FOREVER, algorithm=config_pb.FINETUNING_ALGORITHM_FULL, checkpoint_interval=1, max_checkpoints=2
    )
    request.model = "builtin"
    return request


def searched(uuid: str) -> Any:
    """Return a request for a search whose trials do not end."""
    request = sft(uuid, steps=FOREVER)
    rates = {"optimizer_config.lr": {"values": [0.001, 0.002]}}
    request.hyperparam_search_config["parameters"].CopyFrom(value_of(rates))
    request.hyperparam_search_config["num_samples"].CopyFrom(value_of(2))
    return request


def is_over_for_ray(service: Service, uuid: str) -> bool:
    """Return whether Ray knows of nothing that is left to do for a job."""
    head = head_keeper.read(service.data / "ray")
    assert head is not None
    name = service.status(uuid).resources_allocated["ray_job_id"].string_value
    told = httpx.get(f"{head.address}/api/jobs/{name}", headers=head_keeper.headers(head.token))
    return told.json()["status"] in OVER


@pytest.mark.parametrize(
    ("phase", "request_of"),
    [
        (is_starting, adapters),
        (is_loading, adapters),
        (is_training, adapters),
        (is_saving, often_saved),
        (is_searching, searched),
    ],
    ids=["starting", "loading", "training", "saving", "searching"],
)
def test_what_works_for_a_job_is_gone_ten_seconds_after_it_was_cancelled(
    service: Service, phase: Callable[[Service, str], bool], request_of: Callable[[str], Any]
) -> None:
    uuid = f"cancelled-while-{phase.__name__}"
    service.stub.SupervisedFineTune(request_of(uuid))
    service.until(lambda: phase(service, uuid) or None)
    began = time.monotonic()
    service.stub.CancelJob(pb.CancelPostTrainingJobRequest(job_uuid=uuid))
    service.until(lambda: True if not at_work(service) and is_over_for_ray(service, uuid) else None, CANCEL_S)
    assert time.monotonic() - began < CANCEL_S
    ended = service.ended(uuid)
    assert (ended.state, ended.failure) == (common_pb.JOB_STATE_CANCELLED, "cancelled by request")
    told = service.peers.observability
    [run] = [run.id for run in told.runs if run.metadata["job_uuid"].string_value == uuid]
    assert [update.status for update in told.updates if update.run_id == run] == ["cancelled"]
    # a worker that had outlived this would have gone on writing
    assert "training is complete" not in service.log(uuid)
    assert service.status(uuid) == ended


def test_a_job_is_cancelled_without_waiting_for_a_head_that_starts(service: Service, tmp_path: Path) -> None:
    with running(tmp_path / "data", service.peers.models.source) as other:
        other.stub.SupervisedFineTune(adapters("early"))
        other.until(lambda: True if (other.data / "ray" / "place").exists() else None)
        began = time.monotonic()
        other.stub.CancelJob(pb.CancelPostTrainingJobRequest(job_uuid="early"))
        ended = other.ended("early")
        assert time.monotonic() - began < CANCEL_S
        assert head_keeper.read(other.data / "ray") is None
        assert (ended.state, ended.progress.steps.done) == (common_pb.JOB_STATE_CANCELLED, 0)
        # the head is ready for the job after it
        other.stub.SupervisedFineTune(sft("late", steps=1))
        assert other.ended("late").state == common_pb.JOB_STATE_COMPLETED, other.log("late")
