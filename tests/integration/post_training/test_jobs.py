"""A job from its request to a checkpoint in service, on a real Ray head."""

from __future__ import annotations

import ipaddress
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import httpx
import pytest

from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.post_training.v1 import checkpoint_pb2 as checkpoint_pb
from llamastack.post_training.v1 import job_pb2 as pb
from services.training.cluster import head_keeper, processes
from tests.integration.post_training.service import Service, sft

pytestmark = pytest.mark.timeout(900)
CANCEL_S = 10.0


@pytest.fixture(scope="module")
def finished(service: Service) -> pb.PostTrainingJobStatusResponse:
    """Run a job to its end."""
    request = sft("first", steps=6, checkpoint_interval=3)
    request.logger_config["tensorboard"].CopyFrom(JsonValue(bool_value=True))
    with ThreadPoolExecutor(4) as at_once:
        answers = list(at_once.map(lambda _: service.stub.SupervisedFineTune(request), range(4)))
    assert {answer.job_uuid for answer in answers} == {"first"}
    return service.ended("first")


def test_a_job_ends_with_checkpoints_and_says_how_it_went(
    finished: pb.PostTrainingJobStatusResponse, service: Service
) -> None:
    assert finished.state == common_pb.JOB_STATE_COMPLETED, service.log("first")
    assert finished.status == pb.POST_TRAINING_JOB_STATUS_COMPLETED
    assert (finished.progress.steps.done, finished.progress.steps.total) == (6, 6)
    assert [(saved.iters, saved.epoch) for saved in finished.checkpoints] == [(3, 0), (6, 1)]
    assert finished.progress.loss > 0
    assert finished.progress.validation_loss > 0
    assert finished.progress.tokens_per_second > 0
    assert finished.scheduled_at.seconds <= finished.started_at.seconds <= finished.completed_at.seconds
    assert finished.attempts == 1
    assert finished.resources_allocated["num_workers"].integer_value == 1


def test_equal_submissions_at_once_are_one_job(finished: pb.PostTrainingJobStatusResponse, service: Service) -> None:
    listed = service.stub.ListJobs(pb.ListPostTrainingJobsRequest()).jobs
    assert [job.job_uuid for job in listed].count("first") == 1
    assert (service.log("first").count("begins"), service.log("first").count("training is complete")) == (2, 1)
    told = [run for run in service.peers.observability.runs if run.metadata["job_uuid"].string_value == "first"]
    assert len(told) == 1


def test_its_ray_head_is_on_loopback_and_wants_its_token(
    finished: pb.PostTrainingJobStatusResponse, service: Service
) -> None:
    head = head_keeper.read(service.data / "ray")
    assert head is not None
    assert urlsplit(head.address).hostname == "127.0.0.1"
    answers = [
        httpx.get(f"{head.address}/api/jobs/", headers=head_keeper.headers(token)) for token in (head.token, "", "x")
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 403]
    assert listening(processes.members(Path(head.folder))) == {"127.0.0.1"}
    assert (service.data / "ray" / head_keeper.HEAD).stat().st_mode & 0o077 == 0


def listening(members: set[int]) -> set[str]:
    """Return the addresses at which processes take TCP connections."""
    sockets = set()
    for process in members:
        for handle in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                sockets.add(os.readlink(handle).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table, length in (("tcp", 8), ("tcp6", 32)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                words = bytes.fromhex(fields[1][:length])
                # each word of four bytes is in the machine's order
                turned = b"".join(words[start : start + 4][::-1] for start in range(0, len(words), 4))
                address = ipaddress.ip_address(turned)
                found.add(str(getattr(address, "ipv4_mapped", None) or address))
    return found


def test_its_log_can_be_read_and_followed_from_any_line(
    finished: pb.PostTrainingJobStatusResponse, service: Service
) -> None:
    whole = service.stub.GetJobLogs(pb.GetPostTrainingJobLogsRequest(job_uuid="first"))
    assert "training is complete" in whole.log_lines[-1]
    assert all(line[:4].isdigit() and line.split(" ")[1] in ("INFO", "WARNING") for line in whole.log_lines)
    few = service.stub.GetJobLogs(pb.GetPostTrainingJobLogsRequest(job_uuid="first", max_lines=2))
    assert (list(few.log_lines), few.last_sequence) == (list(whole.log_lines[-2:]), whole.last_sequence)
    after = pb.GetPostTrainingJobLogsRequest(job_uuid="first", after_sequence=3)
    followed = [line for part in service.stub.FollowJobLogs(after) for line in part.log_lines]
    assert followed == list(whole.log_lines[3:])


def test_a_job_is_followed_while_it_runs_and_gone_soon_after_it_was_cancelled(
    finished: pb.PostTrainingJobStatusResponse, service: Service
) -> None:
    service.stub.SupervisedFineTune(sft("followed", steps=100_000))
    log = service.stub.FollowJobLogs(pb.GetPostTrainingJobLogsRequest(job_uuid="followed"))
    metrics = service.stub.FollowJobMetrics(pb.GetPostTrainingJobMetricsRequest(job_uuid="followed"))
    seen = [next(metrics) for _ in range(3)]
    running = service.status("followed")
    assert (running.state, running.progress.steps.total) == (common_pb.JOB_STATE_RUNNING, 100_000)
    assert running.progress.steps.eta_seconds > 0
    began = time.monotonic()
    service.stub.CancelJob(pb.CancelPostTrainingJobRequest(job_uuid="followed"))
    service.until(lambda: True if not service.workers() else None, CANCEL_S)
    assert time.monotonic() - began < CANCEL_S
    seen += metrics
    assert service.status("followed").state == common_pb.JOB_STATE_CANCELLED
    assert [point.sequence for point in seen] == list(range(1, len(seen) + 1))
    assert [line for part in log for line in part.log_lines] == service.log("followed").splitlines()


def test_its_metrics_are_numbered_and_can_be_thinned_out(
    finished: pb.PostTrainingJobStatusResponse, service: Service
) -> None:
    every = service.stub.GetJobMetrics(pb.GetPostTrainingJobMetricsRequest(job_uuid="first")).metrics
    assert [point.sequence for point in every] == list(range(1, len(every) + 1))
    assert {"loss", "learning_rate", "gradient_norm", "tokens_per_second"} <= set(every[0].values)
    assert every[0].values["learning_rate"] == pytest.approx(1e-3)
    trained = [point for point in every if "loss" in point.values]
    assert trained[-1].values["learning_rate"] == pytest.approx(1e-4)
    few = service.stub.GetJobMetrics(pb.GetPostTrainingJobMetricsRequest(job_uuid="first", max_points=3)).metrics
    assert [few[0], few[-1]] == [every[0], every[-1]]
    assert len(few) == 3
    following = pb.GetPostTrainingJobMetricsRequest(job_uuid="first", after_sequence=2)
    assert list(service.stub.FollowJobMetrics(following)) == list(every[2:])


def test_it_leaves_curves_tables_and_tensorboard_files(
    finished: pb.PostTrainingJobStatusResponse, service: Service
) -> None:
    left = service.stub.GetJobArtifacts(pb.GetPostTrainingJobArtifactsRequest(job_uuid="first"))
    assert list(left.checkpoints) == list(finished.checkpoints)
    files = {file.name: file for file in left.files}
    assert {"loss.png", "learning_rate.png", "metrics.csv", "config.json"} <= set(files)
    plot = files["loss.png"]
    assert (plot.mime_type, plot.artifact_id) == ("image/png", "a-loss.png")
    path = Path(plot.url.uri.removeprefix("file://"))
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size == plot.size_bytes
    assert list((path.parent / "tensorboard").glob("events.*"))


def test_it_is_reported_to_the_observability_service(
    finished: pb.PostTrainingJobStatusResponse, service: Service
) -> None:
    told = service.peers.observability
    run = next(run for run in told.runs if run.metadata["job_uuid"].string_value == "first")
    assert finished.run_id == run.id
    losses = [metric.step for metric in told.metrics if metric.run_id == run.id and metric.name == "loss"]
    assert losses == [1, 2, 3, 4, 5, 6]
    assert [link.name for link in told.linked if link.run_id == run.id] == [
        saved.checkpoint_id for saved in finished.checkpoints
    ]
    assert "loss.png" in {file.name for file in told.uploaded if file.run_id == run.id}
    assert [update.status for update in told.updates if update.run_id == run.id] == ["completed"]


def test_its_adapter_is_put_into_service_in_one_call(
    finished: pb.PostTrainingJobStatusResponse, service: Service
) -> None:
    request = checkpoint_pb.RegisterCheckpointRequest(job_uuid="first", model_id="tuned")
    answer = service.stub.RegisterCheckpoint(request)
    last = finished.checkpoints[-1]
    assert (answer.model_id, answer.kind, answer.base_model) == (
        "tuned",
        checkpoint_pb.CHECKPOINT_KIND_ADAPTER,
        "base",
    )
    assert answer.checkpoint.checkpoint_id == last.checkpoint_id
    asked = service.peers.models.adapters[-1]
    assert (asked.model_id, asked.adapter_id) == ("base", "tuned")
    assert (Path(asked.source) / "adapter_model.safetensors").is_file()
    assert service.stub.RegisterCheckpoint(request) == answer
    other = checkpoint_pb.RegisterCheckpointRequest(
        checkpoint_id=finished.checkpoints[0].checkpoint_id, model_id="tuned"
    )
    with pytest.raises(grpc.RpcError) as refusal:
        service.stub.RegisterCheckpoint(other)
    assert refusal.value.code() is grpc.StatusCode.ALREADY_EXISTS
    lineage = service.stub.GetLineage(checkpoint_pb.GetLineageRequest(checkpoint_id=last.checkpoint_id))
    # the command line may have registered one of its own before
    assert set(lineage.registered_models) - {"from-cli"} == {"tuned"}
    assert list(lineage.evaluation_job_uuids) == ["judged"]
    assert lineage.base_model == "base"
    assert len(lineage.dataset.content_hash) == len(lineage.config_hash) == 64
    assert lineage.dataset.content_url.uri == "data:application/jsonl"
    assert lineage.code_version.startswith("altiplano")
    assert lineage.run_id == finished.run_id


def test_a_completed_job_is_not_resumed_and_is_listed(
    finished: pb.PostTrainingJobStatusResponse, service: Service
) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        service.stub.ResumeJob(pb.ResumePostTrainingJobRequest(job_uuid="first"))
    assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    completed = pb.ListPostTrainingJobsRequest(
        state=common_pb.JOB_STATE_COMPLETED, kind=pb.POST_TRAINING_JOB_KIND_SUPERVISED_FINE_TUNE
    )
    assert "first" in {job.job_uuid for job in service.stub.ListJobs(completed).jobs}
    failed = pb.ListPostTrainingJobsRequest(state=common_pb.JOB_STATE_FAILED)
    assert "first" not in {job.job_uuid for job in service.stub.ListJobs(failed).jobs}
