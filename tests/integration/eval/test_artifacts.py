"""Artifacts: uploaded, linked, listed, downloaded, exported."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from llamastack.common.v1.content_pb2 import Url
from llamastack.observability.v1 import artifact_pb2 as pb
from llamastack.observability.v1 import experiment_pb2, metric_pb2
from mesh.errors import DataLoss, InvalidField, OutOfRange, QuotaExceeded, ResourceNotFound, WrongState
from services.eval.observability.export import Trackers
from tests.integration.eval.mlflow_site import RUN, mlflow_site
from tests.integration.eval.record import MIB, Recorded, at, metric, recording, refused, values


def link(experiment_id: str, url: str) -> pb.LinkArtifactRequest:
    """Return a request to link."""
    return pb.LinkArtifactRequest(
        experiment_id=experiment_id, name="weights", type=pb.ARTIFACT_TYPE_MODEL, url=Url(uri=url)
    )


async def test_an_uploaded_file_is_described_listed_and_sent_back(record: Recorded) -> None:
    made = await record.experiment()
    run = await record.run(made.id)
    content = bytes(range(256)) * 5000
    artifact = await record.upload(
        made.id, "plot.png", content, artifact_type="plot", run_id=run.id, metadata=values(dpi=100)
    )
    assert artifact == pb.Artifact(
        id=artifact.id,
        name="plot.png",
        type=pb.ARTIFACT_TYPE_PLOT,
        size=len(content),
        created_at=at(record.clock[0]),
        metadata=values(dpi=100),
        experiment_id=made.id,
        run_id=run.id,
        mime_type="image/png",
        sha256=sha256(content).hexdigest(),
    )
    assert await record.stub.GetArtifact(pb.GetArtifactRequest(artifact_id=artifact.id)) == artifact
    pieces = await record.download(artifact.id)
    assert b"".join(piece.chunk for piece in pieces) == content
    assert [(len(piece.chunk), piece.size) for piece in pieces] == [
        (MIB, len(content)),
        (len(content) - MIB, len(content)),
    ]
    assert [piece.chunk for piece in await record.download(artifact.id, 1_279_998)] == [content[-2:]]
    assert [piece.chunk for piece in await record.download(artifact.id, len(content))] == [b""]
    assert isinstance(await refused(record.download(artifact.id, len(content) + 1)), OutOfRange)


async def test_media_types_are_told_guessed_or_looked_up(embedded: Recorded) -> None:
    made = await embedded.experiment()
    told = await embedded.upload(made.id, "a.txt", b"x", mime_type="a/b")
    text = await embedded.upload(made.id, "notes", "héllo".encode())
    binary = await embedded.upload(made.id, "notes", b"\xff\xfe")
    packed = await embedded.upload(made.id, "notes.txt.gz", b"\x1f\x8b\0")
    found = [artifact.mime_type for artifact in (told, text, binary, packed)]
    assert found == ["a/b", "text/plain", "application/octet-stream", "application/octet-stream"]


async def test_artifacts_are_listed_by_type_and_run_newest_first(record: Recorded) -> None:
    made = await record.experiment()
    run = await record.run(made.id)
    files = [await record.upload(made.id, str(number), b"x", artifact_type="code") for number in range(3)]
    plot = await record.upload(made.id, "plot", b"x", artifact_type="plot", run_id=run.id)

    async def found(**conditions: object) -> list[pb.Artifact]:
        request = pb.ListArtifactsRequest(experiment_id=made.id, **conditions)  # type: ignore[arg-type]
        return list((await record.stub.ListArtifacts(request)).artifacts)

    assert await found() == [plot, *files[::-1]]
    assert await found(type=pb.ARTIFACT_TYPE_CODE) == files[::-1]
    assert await found(run_id=run.id) == [plot]
    first = await record.stub.ListArtifacts(pb.ListArtifactsRequest(experiment_id=made.id, page_size=3))
    token = first.next_page_token
    assert [*first.artifacts, *await found(page_size=3, page_token=token)] == [plot, *files[::-1]]


async def test_a_full_store_takes_no_more(embedded: Recorded) -> None:
    made = await embedded.experiment()
    await embedded.upload(made.id, "a", b"x" * 3 * MIB)
    error = await refused(embedded.upload(made.id, "b", b"x" * 2 * MIB))
    assert isinstance(error, QuotaExceeded)
    await embedded.upload(made.id, "c", b"x" * MIB)


async def test_a_linked_file_stays_where_it_is(record: Recorded, tmp_path: Path) -> None:
    made = await record.experiment()
    folder = tmp_path / "linked" / "odd näme"
    folder.mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"abc")
    (folder / "b.bin").write_bytes(b"defg")
    file = await record.stub.LinkArtifact(link(made.id, (folder / "a.bin").as_uri()))
    assert (file.size, file.sha256, file.mime_type) == (3, sha256(b"abc").hexdigest(), "application/octet-stream")
    assert [piece.chunk for piece in await record.download(file.id, 1)] == [b"bc"]
    whole = await record.stub.LinkArtifact(link(made.id, folder.as_uri()))
    assert (whole.size, whole.HasField("sha256"), whole.url.uri) == (7, False, folder.as_uri())
    assert isinstance(await refused(record.download(whole.id)), WrongState)
    (folder / "a.bin").unlink()
    assert isinstance(await refused(record.download(file.id)), DataLoss)


@pytest.mark.parametrize("path", ["linked/../secret", "linked/way", "linked/none", "secret", "linked/%00"])
async def test_nothing_outside_the_places_is_linked(embedded: Recorded, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "way").symlink_to(tmp_path / "secret")
    made = await embedded.experiment()
    error = await refused(embedded.stub.LinkArtifact(link(made.id, f"file://{tmp_path}/{path}")))
    assert isinstance(error, InvalidField)
    assert error.message == "url: a file or a folder within the places that the server allows is needed"


@pytest.mark.parametrize("url", ["http://127.0.0.1/x", "s3://bucket/x", "x", "file://elsewhere/x", "memory://x"])
async def test_other_schemes_are_not_linked(embedded: Recorded, url: str) -> None:
    made = await embedded.experiment()
    assert isinstance(await refused(embedded.stub.LinkArtifact(link(made.id, url))), InvalidField)


async def test_an_artifact_belongs_to_a_run_of_its_experiment(embedded: Recorded) -> None:
    one, two = await embedded.experiment(), await embedded.experiment()
    run = await embedded.run(two.id)
    assert isinstance(await refused(embedded.upload(one.id, "a", b"x", run_id=run.id)), ResourceNotFound)


async def test_a_run_is_exported_to_mlflow_and_brought_up_to_date(tmp_path: Path) -> None:

    target = (tmp_path / "mlruns").as_uri()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        client = await asyncio.to_thread(MlflowClient, tracking_uri=target)
    async with recording(tmp_path, trackers=Trackers(target)) as record:
        made = await record.experiment("answers")
        run = await record.run(made.id, lr=0.5, model="llama")
        points = [metric(run.id, "ndcg@10", 0.5, when=1.0, step=1), metric(run.id, "ndcg@10", 0.75, when=2.0, step=2)]
        word = metric_pb2.Metric(name="note", value=metric_pb2.MetricValue(text="ok"), timestamp=at(1), run_id=run.id)
        await record.stub.LogMetrics(metric_pb2.LogMetricsRequest(run_id=run.id, metrics=[points[0], word]))
        await record.upload(made.id, "../report.html", b"<html>", run_id=run.id)
        request = experiment_pb2.ExportRunRequest(run_id=run.id)
        first = await record.stub.ExportRun(request)
        assert (first.num_metrics, first.num_artifacts) == (2, 1)
        await record.stub.LogMetrics(metric_pb2.LogMetricsRequest(run_id=run.id, metrics=points))
        await record.stub.UpdateRun(experiment_pb2.UpdateRunRequest(run_id=run.id, status="completed", ended_at=at(9)))
        second = await record.stub.ExportRun(request)
        assert (second.mlflow_run_id, second.num_metrics) == (first.mlflow_run_id, 3)
    copy = client.get_run(first.mlflow_run_id)
    history = client.get_metric_history(first.mlflow_run_id, "ndcg_10")
    assert [(point.step, point.value) for point in history] == [(1, 0.5), (2, 0.75)]
    assert copy.data.params == {"lr": "0.5", "model": "llama"}
    assert (copy.data.tags["altiplano.run_id"], copy.data.tags["note"]) == (run.id, "ok")
    assert (copy.info.status, copy.info.end_time) == ("FINISHED", 9000)
    files = [path.name for path in (tmp_path / "mlruns").rglob("*report.html")]
    assert files == ["_report.html"]


async def test_a_run_is_exported_to_a_server_over_http(tmp_path: Path) -> None:
    async with mlflow_site() as site, recording(tmp_path, trackers=Trackers(site.url)) as record:
        made = await record.experiment("answers")
        run = await record.run(made.id, model="llama")
        points = [metric(run.id, "em", 0.5, when=1.0, step=1), metric(run.id, "em", 0.75, when=2.0, step=2)]
        await record.stub.LogMetrics(metric_pb2.LogMetricsRequest(run_id=run.id, metrics=points[:1]))
        kept = await record.upload(made.id, "report.html", b"<html>", run_id=run.id)
        request = experiment_pb2.ExportRunRequest(run_id=run.id)
        first = await record.stub.ExportRun(request)
        await record.stub.LogMetrics(metric_pb2.LogMetricsRequest(run_id=run.id, metrics=points))
        await record.stub.UpdateRun(experiment_pb2.UpdateRunRequest(run_id=run.id, status="completed", ended_at=at(9)))
        second = await record.stub.ExportRun(request)
    assert {first.mlflow_run_id, second.mlflow_run_id} == {RUN}
    assert (site.experiment, site.params, site.tags["altiplano.run_id"]) == ("answers", {"model": "llama"}, run.id)
    assert [(point["step"], point["value"]) for point in site.metrics] == [(1, 0.5), (2, 0.75)]
    assert site.files == {f"{kept.id}/report.html": b"<html>"}
    assert (site.info["status"], site.info["end_time"], site.info["run_name"]) == ("FINISHED", 9000, run.id)


async def test_only_known_trackers_are_written_to(tmp_path: Path) -> None:
    async with recording(tmp_path, trackers=Trackers(allowed=("mlflow:5000",))) as record:
        run = await record.run((await record.experiment()).id)
        request = experiment_pb2.ExportRunRequest(run_id=run.id)
        assert isinstance(await refused(record.stub.ExportRun(request)), WrongState)
        for uri in ("http://mlflow:5001", "file:///tmp/x", "http://[", "ftp://mlflow:5000"):
            request.tracking_uri = uri
            assert isinstance(await refused(record.stub.ExportRun(request)), InvalidField)
