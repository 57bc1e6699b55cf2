"""What only a cluster does: several workers with a sharded model, and a search for better settings."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import grpc
import pytest

from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.post_training.v1 import job_pb2 as pb
from llamastack.post_training.v1 import training_config_pb2 as config_pb
from mesh.json_text import value_of
from services.training.cluster import head_keeper
from tests.integration.post_training.service import Service, running, sft
from tests.integration.post_training.test_cancelling import folder
from tests.integration.post_training.test_faults import slay

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]
STEPS = 600
NAMES = ("000", "001", "002")


def test_two_workers_train_a_sharded_model(service: Service) -> None:
    request = sft("sharded", steps=3, algorithm=config_pb.FINETUNING_ALGORITHM_FULL, num_workers=2)
    request.training_config.memory_efficient_fsdp_wrap = True
    request.training_config.fsdp_cpu_offload = True
    service.stub.SupervisedFineTune(request)
    done = service.ended("sharded")
    assert done.state == common_pb.JOB_STATE_COMPLETED, service.log("sharded")
    assert done.resources_allocated["num_workers"].integer_value == 2
    [last] = done.checkpoints
    assert (Path(last.path.uri.removeprefix("file://")) / "model.safetensors").is_file()


def test_a_cluster_elsewhere_runs_the_jobs_and_is_left_as_it_was(service: Service, tmp_path: Path) -> None:
    # that of the other service is a cluster of its own to this one
    service.stub.SupervisedFineTune(sft("starts-the-head", steps=1))
    service.ended("starts-the-head")
    head = head_keeper.read(service.data / "ray")
    assert head is not None
    token = tmp_path / "token"
    token.write_text(head.token)
    ray = {"RAY_ADDRESS": head.address, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    with running(tmp_path / "data", service.peers.models.source, **ray) as guest:
        guest.stub.SupervisedFineTune(sft("elsewhere", steps=3))
        done = guest.ended("elsewhere")
        assert done.state == common_pb.JOB_STATE_COMPLETED, guest.log("elsewhere")
        too_much = sft("too-much", num_workers=64)
        too_much.training_config.batch_size = 64
        with pytest.raises(grpc.RpcError) as refusal:
            guest.stub.SupervisedFineTune(too_much)
        assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert not (guest.data / "ray").exists()
    assert head_keeper.answers(head)


def test_two_heads_are_at_work_on_one_machine(service: Service, tmp_path: Path) -> None:
    service.stub.SupervisedFineTune(sft("here", steps=100_000))
    with running(tmp_path / "data", service.peers.models.source) as other:
        service.reached("here", 1)
        other.stub.SupervisedFineTune(sft("there", steps=3))
        done = other.ended("there")
        assert done.state == common_pb.JOB_STATE_COMPLETED, other.log("there")
        assert service.status("here").state == common_pb.JOB_STATE_RUNNING
    service.stub.CancelJob(pb.CancelPostTrainingJobRequest(job_uuid="here"))
    assert service.ended("here").state == common_pb.JOB_STATE_CANCELLED


def searched(uuid: str, *, steps: int, rates: list[float]) -> Any:
    """Return a request for a search with a trial for each rate."""
    request = sft(uuid, steps=steps)
    request.hyperparam_search_config["parameters"].CopyFrom(value_of({"optimizer_config.lr": {"values": [*rates]}}))
    request.hyperparam_search_config["num_samples"].CopyFrom(value_of(len(rates)))
    request.optimizer_config.lr_min = 0.0
    return request


def table(service: Service, uuid: str) -> list[dict[str, str]]:
    """Return what a search tried and found."""
    left = service.stub.GetJobArtifacts(pb.GetPostTrainingJobArtifactsRequest(job_uuid=uuid))
    [file] = [file for file in left.files if file.name == "search.csv"]
    return list(csv.DictReader(Path(file.url.uri.removeprefix("file://")).read_text().splitlines()))


def test_the_best_trial_of_a_search_is_the_job(service: Service) -> None:
    service.stub.SupervisedFineTune(searched("search", steps=3, rates=[0.001, 0.000001]))
    done = service.ended("search")
    assert done.state == common_pb.JOB_STATE_COMPLETED, service.log("search")
    rows = table(service, "search")
    assert len(rows) == 2
    best = min(float(row["validation_loss"]) for row in rows)
    assert done.progress.validation_loss == pytest.approx(best)
    assert [saved.iters for saved in done.checkpoints] == [3]


def test_a_search_whose_head_dies_goes_on_where_it_was(service: Service) -> None:
    request = searched("broken-search", steps=STEPS, rates=[0.001, 0.0005, 0.0001])
    request.options.checkpoint_interval = 20
    request.options.max_checkpoints = 3
    request.options.evaluation_interval = STEPS
    service.stub.SupervisedFineTune(request)
    trials = folder(service, "broken-search") / "trials"
    service.until(lambda: True if any(trials.glob("001/checkpoints/*")) else None)
    for process in service.head():
        slay(process)
    done = service.ended("broken-search")
    log = service.log("broken-search")
    assert (done.state, done.attempts) == (common_pb.JOB_STATE_COMPLETED, 2), log
    assert [log.count(f"trial {number}: ") for number in range(3)] == [1, 1, 1]
    went_on = [(trials / name / "log.txt").read_text().count("goes on from the checkpoint") for name in NAMES]
    assert went_on == [0, 1, 0]
    rows = table(service, "broken-search")
    assert [row["trial"] for row in rows] == ["0", "1", "2"]
    assert done.progress.validation_loss == pytest.approx(min(float(row["validation_loss"]) for row in rows))
    assert done.checkpoints[-1].iters == STEPS


def test_a_search_whose_trials_can_not_begin_says_why(service: Service) -> None:
    request = sft("unfit-search", steps=2, max_sequence_length=3)
    request.hyperparam_search_config["parameters"].CopyFrom(value_of({"optimizer_config.lr": {"values": [0.001]}}))
    request.hyperparam_search_config["num_samples"].CopyFrom(value_of(2))
    service.stub.SupervisedFineTune(request)
    failed = service.ended("unfit-search")
    assert failed.failure == "dataset: row 0 has nothing to learn within 3 tokens"
