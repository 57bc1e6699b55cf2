"""What only a cluster does: several workers with a sharded model, and a search for better settings."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.post_training.v1 import job_pb2 as pb
from llamastack.post_training.v1 import training_config_pb2 as config_pb
from mesh.json_text import value_of
from tests.integration.post_training.service import Service, sft

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]


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


def test_the_best_trial_of_a_search_is_the_job(service: Service) -> None:
    request = sft("search", steps=3)
    rates = {"optimizer_config.lr": {"values": [0.001, 0.000001]}}
    request.hyperparam_search_config["parameters"].CopyFrom(value_of(rates))
    request.hyperparam_search_config["num_samples"].CopyFrom(value_of(2))
    request.optimizer_config.lr_min = 0.0
    service.stub.SupervisedFineTune(request)
    done = service.ended("search")
    assert done.state == common_pb.JOB_STATE_COMPLETED, service.log("search")
    left = service.stub.GetJobArtifacts(pb.GetPostTrainingJobArtifactsRequest(job_uuid="search"))
    table = next(file for file in left.files if file.name == "search.csv")
    rows = list(csv.DictReader(Path(table.url.uri.removeprefix("file://")).read_text().splitlines()))
    assert len(rows) == 2
    best = min(float(row["validation_loss"]) for row in rows)
    assert done.progress.validation_loss == pytest.approx(best)
    assert [saved.iters for saved in done.checkpoints] == [3]
