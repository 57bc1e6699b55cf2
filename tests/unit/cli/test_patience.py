"""Commands that follow a job go on when the service was away for a while."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio
import pytest
from click.testing import CliRunner

from cli import patience
from cli.main import main
from llamastack.common.v1 import job_pb2
from llamastack.post_training.v1 import job_pb2 as pb
from llamastack.post_training.v1.post_training_service_pb2_grpc import (
    PostTrainingServiceServicer,
    add_PostTrainingServiceServicer_to_server,
)
from tests.ports import free_port


class Jobs(PostTrainingServiceServicer):
    """Has one job in a state."""

    def __init__(self, state: job_pb2.JobState.ValueType) -> None:
        self.asked = asyncio.Event()
        self._state = state

    async def GetJobStatus(
        self, request: pb.GetPostTrainingJobStatusRequest, context: Any
    ) -> pb.PostTrainingJobStatusResponse:
        self.asked.set()
        return pb.PostTrainingJobStatusResponse(job_uuid=request.job_uuid, state=self._state)

    async def GetJobMetrics(
        self, request: pb.GetPostTrainingJobMetricsRequest, context: Any
    ) -> pb.GetPostTrainingJobMetricsResponse:
        return pb.GetPostTrainingJobMetricsResponse()


async def serving(jobs: Jobs, port: int) -> grpc.aio.Server:
    """Serve jobs on loopback."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_PostTrainingServiceServicer_to_server(jobs, server)
    assert server.add_insecure_port(f"127.0.0.1:{port}") == port
    await server.start()
    return server


async def test_a_job_is_followed_through_a_restart_of_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.patience._PAUSE_S", 0.05)
    monkeypatch.setattr("cli.train._LOOK_S", 0.05)
    port = free_port()
    first, second = Jobs(job_pb2.JOB_STATE_RUNNING), Jobs(job_pb2.JOB_STATE_COMPLETED)
    server = await serving(first, port)
    command = ["train", "--address", f"127.0.0.1:{port}", "follow", "j"]
    following = asyncio.create_task(asyncio.to_thread(CliRunner().invoke, main, command))
    await first.asked.wait()
    await server.stop(None)
    server = await serving(second, port)
    result = await following
    await server.stop(None)
    assert (result.exit_code, "job j completed" in result.stdout) == (0, True)


async def test_a_service_that_stays_away_ends_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.patience._PAUSE_S", 0.01)
    gone = patience.Patience(seconds=0.05)
    error = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "away")
    await gone.bear(error)

    async def more() -> None:
        while True:
            await gone.bear(error)

    with pytest.raises(grpc.aio.AioRpcError):
        await more()


async def test_what_the_service_refuses_is_not_borne_with() -> None:
    error = grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), grpc.aio.Metadata(), "no such job")
    with pytest.raises(grpc.aio.AioRpcError):
        await patience.Patience().bear(error)
