"""``altiplano train`` against a running service."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from cli.curve import curve
from cli.main import main
from llamastack.datasets.v1.dataset_requests_pb2 import CreateDatasetRequest
from llamastack.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from llamastack.post_training.v1 import job_pb2 as pb
from tests.integration.post_training.service import Service, examples
from tests.integration.post_training.test_jobs import finished

pytestmark = pytest.mark.timeout(900)
__all__ = ["finished"]


def command(service: Service, *arguments: str, as_json: bool = False) -> Result:
    """Run the command against the service."""
    options = ["--address", service.address, *(["--json"] if as_json else [])]
    return CliRunner().invoke(main, ["train", *options, *arguments])


def test_a_job_is_followed_to_its_end_with_its_curve(
    finished: pb.PostTrainingJobStatusResponse, service: Service
) -> None:
    result = command(service, "follow", "first")
    assert result.exit_code == 0
    assert "job first completed, step 6 of 6" in result.stdout
    assert finished.checkpoints[0].checkpoint_id in result.stdout
    assert "┤" in result.stdout
    shown = json.loads(command(service, "status", "first", as_json=True).stdout)
    assert shown["state"] == "JOB_STATE_COMPLETED"


def test_a_model_is_trained_by_one_command_and_once(service: Service) -> None:
    datasets = DatasetsServiceStub(service.channel)
    datasets.CreateDataset(CreateDatasetRequest(uuid="by-hand", dataset=examples()))
    options = ("--steps", "3", "--epochs", "0", "--batch-size", "4", "--rank", "4", "--job", "by-hand")
    results = [command(service, "run", "base", "by-hand", *options) for _ in range(2)]
    for result in results:
        assert result.exit_code == 0, result.stderr
        assert "job by-hand completed, step 3 of 3" in result.stdout
        assert "┤" in result.stdout
        assert "by-hand" in result.stderr
        assert "tokens/s" in result.stderr
    assert service.log("by-hand").count("training is complete") == 1


def test_jobs_are_listed_and_their_logs_printed(finished: pb.PostTrainingJobStatusResponse, service: Service) -> None:
    assert "first" in command(service, "list").stdout
    assert "training is complete" in command(service, "logs", "first").stdout
    assert command(service, "logs", "first", "--follow").stdout == command(service, "logs", "first").stdout


def test_a_checkpoint_is_served_and_traced_by_two_commands(
    finished: pb.PostTrainingJobStatusResponse, service: Service
) -> None:
    result = command(service, "serve", "first", "from-cli")
    last = finished.checkpoints[-1].checkpoint_id
    assert result.stdout == f"from-cli on base: {last}\n"
    assert json.loads(command(service, "lineage", last).stdout)["base_model"] == "base"


def test_what_the_service_refuses_is_one_line_and_an_exit_code(service: Service) -> None:
    result = command(service, "status", "nobody")
    assert (result.exit_code, result.stderr) == (1, "altiplano: NOT_FOUND: job 'nobody' does not exist\n")
    result = command(service, "run", "base", "no-such-dataset")
    assert result.exit_code == 1
    assert result.stderr.startswith("altiplano: NOT_FOUND")
    result = command(service, "run", "base", "qa", "--method", "grpo")
    assert (result.exit_code, "--reward" in result.stderr) == (2, True)


def test_a_curve_falls_from_its_highest_to_its_lowest_value() -> None:
    lines = curve([(step, 10.0 - step) for step in range(10)], width=31, height=4)
    assert lines[0].startswith("        10┤")
    assert lines[3].startswith("         1┤")
    assert lines[0][11] != "⠀"
    assert lines[-1].split() == ["0", "9"]
    assert curve([]) == []
