"""What the observability service is told of a training job, if it is away when the job ends too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest

from llamastack.observability.v1 import experiment_pb2, metric_pb2
from llamastack.observability.v1 import observability_service_pb2_grpc as observability_grpc
from mesh.identity import acting_as
from services.training.post_training import reporting
from services.training.post_training.progress import Progress
from services.training.recipe.folder import JobFolder, Saved
from tests.integration.eval.record import recording
from tests.integration.post_training.peers import ScriptedObservability
from tests.integration.training.serving import TEXT, Served, described, until
from tests.integration.training.test_holdings import CALLER, ONE, Desk
from tests.ports import free_port


@contextmanager
def keeping(service: ScriptedObservability, port: int) -> Iterator[None]:
    """Serve what keeps reports on loopback."""
    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    observability_grpc.add_ObservabilityServiceServicer_to_server(service, server)
    assert server.add_insecure_port(f"127.0.0.1:{port}") == port
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()


def measured(path: Path) -> JobFolder:
    """Return the folder of a job with one measurement and its curve."""
    folder = JobFolder(path, 1)
    folder.fence(1)
    folder.measured({"step": 1, "steps": 1, "epoch": 1.0, "tokens": 4, "values": {"loss": 2.0}})
    folder.files.mkdir()
    (folder.files / "loss.png").write_bytes(b"\x89PNG")
    return folder


async def test_an_end_that_can_not_be_told_is_told_once_the_service_is_back(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "_PAUSE_S", 0.05)
    monkeypatch.setattr(reporting, "_TRIES", 1000)
    desk = Desk(served)
    job = await desk.job("j", described(ONE, {"q": TEXT}))
    folder = measured(desk.places.of(job).path)
    told, port = ScriptedObservability(), free_port()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        reporter = reporting.Observability(channel, desk.places)
        with acting_as(CALLER):
            await reporter.end(job, Progress(), "completed")
        assert told.updates == []
        with keeping(told, port):

            async def ended() -> bool:
                return bool(told.updates)

            await until(ended)
            await asyncio.gather(*reporter._late)
        [run] = told.runs
        assert [(metric.name, metric.run_id) for metric in told.metrics] == [("loss", run.id)]
        assert [file.name for file in told.uploaded] == ["loss.png"]
        assert [(update.run_id, update.status) for update in told.updates] == [(run.id, "completed")]
        assert reporting.artifact_ids(folder) == {"loss.png": "a-loss.png"}
        await reporter.close()


async def test_a_checkpoint_that_may_not_be_linked_keeps_nothing_else_from_being_told(
    served: Served, tmp_path: Path
) -> None:
    desk = Desk(served)
    job = await desk.job("j", described(ONE, {"q": TEXT}))
    folder = measured(desk.places.of(job).path)
    made = folder.scratch()
    (made / "adapter_model.safetensors").write_bytes(b"weights")
    folder.keep(made, Saved("", made, iters=1, epoch=1, adapter=True))
    (tmp_path / "record").mkdir()
    async with recording(tmp_path / "record") as record:
        reporter = reporting.Observability(record.mesh.channel, desk.places)
        state = await reporter.begin(job, Progress())
        await reporter.end(job, state, "completed")
        assert state.run_id is not None
        run = await record.stub.GetRun(experiment_pb2.GetRunRequest(run_id=state.run_id))
        metrics = (await record.stub.GetMetrics(metric_pb2.GetMetricsRequest(run_id=run.id))).metrics
        [artifact_id] = reporting.artifact_ids(folder).values()
        assert [piece.chunk for piece in await record.download(artifact_id)] == [b"\x89PNG"]
        await reporter.close()
    assert (run.status, run.HasField("ended_at")) == ("completed", True)
    assert [(metric.name, metric.value.number) for metric in metrics] == [("loss", 2.0)]
