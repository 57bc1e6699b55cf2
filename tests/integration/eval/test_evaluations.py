"""Evaluation jobs from request to report."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pyarrow import parquet

from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.evaluations.v1 import comparison_pb2, job_pb2
from llamastack.observability.v1 import artifact_pb2, experiment_pb2, log_pb2, metric_pb2
from mesh.errors import InvalidField, OutOfRange, Overloaded, ResourceExists, ResourceNotFound, WrongState
from tests.integration.eval.peers import Scripted, row
from tests.integration.eval.record import refused, values
from tests.integration.eval.serving import Evaluating, evaluating, question, questions

ROWS = [
    question("the Eiffel Tower", "Eiffel Tower!", "tower"),
    question("a red house", "red boat"),
    question("", ""),
    question("Zürich", "zürich"),
]


@pytest.fixture
async def service(database_url: str, tmp_path: Path) -> AsyncIterator[Evaluating]:
    """Serve the evaluations over each database in turn."""
    async with evaluating(tmp_path, database_url) as running:
        running.peers.datasets.rows["qa"] = ROWS
        yield running


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Evaluating]:
    """Serve the evaluations over SQLite."""
    async with evaluating(tmp_path) as running:
        running.peers.datasets.rows["qa"] = ROWS
        yield running


async def test_a_job_scores_every_sample_and_tells_its_metrics(service: Evaluating) -> None:
    job = await service.stub.EvaluateQuestionAnswering(questions("job"))
    assert (job.job_uuid, job.kind, job.checkpoint.model) == (
        "job",
        job_pb2.EVALUATION_KIND_QUESTION_ANSWERING,
        "llama",
    )
    status = await service.ended("job")
    assert status.state == common_pb.JOB_STATE_COMPLETED, status.failure
    assert (status.samples.done, status.samples.total, status.num_errors) == (4, 4, 0)
    em, f1 = status.metrics["em"], status.metrics["f1"]
    assert (em.value, em.num_samples, em.lower_is_better) == (0.75, 4, False)
    assert f1.value == pytest.approx((1 + 0.5 + 1 + 1) / 4)
    assert 0 <= em.low <= em.value <= em.high <= 1
    assert list(await service.samples("job"))[1] == job_pb2.EvaluationSample(
        index=1, input=row(ROWS[1]), output="a red house", references=["red boat"], scores={"em": 0.0, "f1": 0.5}
    )


async def test_a_job_leaves_its_samples_metrics_and_report(embedded: Evaluating) -> None:
    await embedded.answer("job")
    artifacts = await embedded.stub.GetJobArtifacts(job_pb2.GetEvaluationJobArtifactsRequest(job_uuid="job"))
    files: dict[str, bytes] = {}
    for file in artifacts.files:
        request = artifact_pb2.DownloadArtifactRequest(artifact_id=file.artifact_id)
        files[file.name] = b"".join([piece.chunk async for piece in embedded.record.DownloadArtifact(request)])
        assert len(files[file.name]) == file.size_bytes
    assert sorted(files) == [
        "metrics.json",
        "metrics.png",
        "report.html",
        "samples.jsonl",
        "samples.parquet",
        "scores.png",
    ]
    lines = [json.loads(line) for line in files["samples.jsonl"].splitlines()]
    assert lines[3] == {
        "index": 3,
        "input": ROWS[3],
        "output": "Zürich",
        "references": ["zürich"],
        "scores": {"em": 1.0, "f1": 1.0},
        "error": None,
    }
    table = parquet.read_table(io.BytesIO(files["samples.parquet"])).to_pylist()
    assert [one["score.em"] for one in table] == [1.0, 0.0, 1.0, 1.0]
    assert [json.loads(one["input"]) for one in table] == ROWS
    assert json.loads(files["metrics.json"])["metrics"]["em"]["value"] == 0.75
    assert all(files[name].startswith(b"\x89PNG") for name in ("metrics.png", "scores.png"))
    page = files["report.html"].decode()
    assert "question answering" in page
    assert "a red house" in page


async def test_a_job_reports_to_the_record(embedded: Evaluating) -> None:
    status = await embedded.answer("job")
    run = await embedded.record.GetRun(experiment_pb2.GetRunRequest(run_id=status.run_id))
    assert run.status == "completed"
    about = values(job_uuid="job", kind="question_answering", model="llama", dataset="qa", revision="r1")
    assert dict(run.metadata) == about
    experiment = await embedded.record.GetExperiment(
        experiment_pb2.GetExperimentRequest(experiment_id=run.experiment_id)
    )
    assert experiment.name == "llama"
    measured = await embedded.record.GetMetrics(metric_pb2.GetMetricsRequest(run_id=run.id))
    assert {one.name: (one.value.number, one.step) for one in measured.metrics} == {
        "em": (0.75, 4),
        "f1": (0.875, 4),
    }
    logs = await embedded.record.GetLogs(log_pb2.LogSearchRequest(filters=values(run_id=run.id)))
    assert logs.logs[-1].message == "4 samples are scored, 0 of them could not be"
    await embedded.answer("second")
    second = await embedded.status("second")
    other = await embedded.record.GetRun(experiment_pb2.GetRunRequest(run_id=second.run_id))
    assert (other.experiment_id, other.id != run.id) == (run.experiment_id, True)


async def test_the_same_request_is_the_same_job_and_another_one_is_refused(embedded: Evaluating) -> None:
    first = await embedded.answer("job")
    again = await embedded.stub.EvaluateQuestionAnswering(questions("job"))
    assert again.state == common_pb.JOB_STATE_COMPLETED
    error = await refused(embedded.stub.EvaluateQuestionAnswering(questions("job", model="other")))
    assert isinstance(error, ResourceExists)
    assert await embedded.status("job") == first
    assert max(embedded.peers.inference.asked.values()) == 1


async def test_rows_of_a_url_are_stored_for_the_time_of_the_job(embedded: Evaluating) -> None:
    request = questions("job")
    request.dataset.content_url.uri = f"data:application/json,{json.dumps(ROWS)}"
    request.dataset.columns["question"] = request.dataset.columns["answers"] = 5
    await embedded.stub.EvaluateQuestionAnswering(request)
    assert (await embedded.ended("job")).metrics["em"].value == 0.75
    assert len(embedded.peers.datasets.dropped) == 1
    del request.dataset.columns["answers"]
    request.job_uuid = "other"
    error = await refused(embedded.stub.EvaluateQuestionAnswering(request))
    assert isinstance(error, InvalidField)
    assert error.message == "dataset.columns: the column answer or answers is needed"


async def test_samples_that_can_not_be_scored_are_told_and_left_out(embedded: Evaluating) -> None:
    embedded.peers.datasets.rows["qa"] = [*ROWS, {"question": "x", "answers": []}, question("long", "y")]
    embedded.peers.inference.answer = lambda text: OutOfRange("the prompt is too long") if text == "long" else text
    status = await embedded.answer("job")
    assert (status.state, status.num_errors, status.metrics["em"].num_samples) == (common_pb.JOB_STATE_COMPLETED, 2, 4)
    request = job_pb2.ListEvaluationSamplesRequest(job_uuid="job", errors_only=True)
    failed = (await embedded.stub.ListJobSamples(request)).samples
    assert [(one.index, one.error) for one in failed] == [
        (4, "answers: a list of one or more texts is needed"),
        (5, "the prompt is too long"),
    ]


async def test_a_service_that_is_busy_for_a_while_is_asked_again(embedded: Evaluating) -> None:
    busy = [Overloaded(), Overloaded()]
    embedded.peers.inference.failures = [Overloaded()]
    embedded.peers.inference.answer = lambda text: busy.pop() if busy else text
    status = await embedded.answer("job")
    assert (status.state, status.num_errors) == (common_pb.JOB_STATE_COMPLETED, 0)
    assert status.metrics["em"].num_samples == 4


async def test_a_model_or_a_dataset_that_is_not_there_fails_the_job(embedded: Evaluating) -> None:
    status = await embedded.answer("job", dataset="none")
    assert (status.state, status.failure) == (common_pb.JOB_STATE_FAILED, "dataset 'none' does not exist")
    embedded.peers.inference.failures = [ResourceNotFound("model", "llama")]
    status = await embedded.answer("other")
    assert (status.state, status.failure) == (common_pb.JOB_STATE_FAILED, "model 'llama' does not exist")
    run = await embedded.record.GetRun(experiment_pb2.GetRunRequest(run_id=status.run_id))
    assert run.status == "failed"


async def test_no_more_samples_are_at_work_than_asked_for(embedded: Evaluating) -> None:
    embedded.peers.datasets.rows["qa"] = [question(str(number), "1") for number in range(50)]
    gate = embedded.peers.inference.gate = asyncio.Event()
    await embedded.stub.EvaluateQuestionAnswering(questions("job", concurrency=8, max_samples=40))
    async with asyncio.timeout(20):
        await embedded.peers.inference.eight.wait()
    gate.set()
    status = await embedded.ended("job")
    assert (status.samples.done, embedded.peers.inference.most_active) == (40, 8)


async def test_a_job_is_cancelled_and_keeps_its_samples(embedded: Evaluating) -> None:
    embedded.peers.datasets.rows["qa"] = [question(str(number), "1") for number in range(20)]
    release: list[str] = []

    def answer(text: str) -> str:
        release.append(text)
        if len(release) == 4:
            embedded.peers.inference.gate = asyncio.Event()
        return text

    embedded.peers.inference.answer = answer
    await embedded.stub.EvaluateQuestionAnswering(questions("job", concurrency=2))
    await embedded.scored("job", 4)
    await embedded.stub.CancelJob(job_pb2.CancelEvaluationJobRequest(job_uuid="job"))
    status = await embedded.status("job")
    assert (status.state, status.failure) == (common_pb.JOB_STATE_CANCELLED, "cancelled by request")
    assert 4 <= status.samples.done < 20
    run = await embedded.record.GetRun(experiment_pb2.GetRunRequest(run_id=status.run_id))
    assert run.status == "cancelled"
    await embedded.stub.CancelJob(job_pb2.CancelEvaluationJobRequest(job_uuid="job"))


async def test_a_service_that_stops_goes_on_where_it_was(database_url: str, tmp_path: Path) -> None:
    async with evaluating(tmp_path, database_url) as first:
        first.peers.datasets.rows["qa"] = [question(str(number), "1") for number in range(20)]
        asked = first.peers.inference.asked
        gate: list[asyncio.Event] = []

        def answer(text: str) -> str:
            if asked.total() >= 6 and not gate:
                gate.append(asyncio.Event())
                first.peers.inference.gate = gate[0]
            return text

        first.peers.inference.answer = answer
        await first.stub.EvaluateQuestionAnswering(questions("job", concurrency=2))
        await first.scored("job", 6)
        done = {sample.index for sample in await first.samples("job")}
    peers = Scripted()
    peers.datasets.rows["qa"] = first.peers.datasets.rows["qa"]
    async with evaluating(tmp_path, database_url, peers) as second:
        status = await second.ended("job")
        assert (status.state, status.samples.done) == (common_pb.JOB_STATE_COMPLETED, 20)
        assert set(map(int, second.peers.inference.asked)) == set(range(20)) - done
        assert max(second.peers.inference.asked.values()) == 1


async def test_jobs_are_listed_newest_first_and_by_what_they_are(embedded: Evaluating) -> None:
    for number in range(3):
        await embedded.answer(f"job{number}", model="a" if number else "b")
    await embedded.answer("bad", dataset="none")

    async def found(**conditions: object) -> list[str]:
        request = job_pb2.ListEvaluationJobsRequest(**conditions)  # type: ignore[arg-type]
        return [job.job_uuid for job in (await embedded.stub.ListJobs(request)).jobs]

    assert await found() == ["bad", "job2", "job1", "job0"]
    assert await found(state=common_pb.JOB_STATE_FAILED) == ["bad"]
    assert await found(model="b") == ["job0"]
    assert await found(kind=job_pb2.EVALUATION_KIND_JUDGE) == []
    assert await found(checkpoint_id="x") == []
    first = await embedded.stub.ListJobs(job_pb2.ListEvaluationJobsRequest(page_size=3))
    assert await found(page_size=3, page_token=first.next_page_token) == ["job0"]


async def test_logs_are_given_from_any_line_on(embedded: Evaluating) -> None:
    await embedded.answer("job")
    whole = await embedded.stub.GetJobLogs(job_pb2.GetEvaluationJobLogsRequest(job_uuid="job"))
    assert whole.last_sequence == len(whole.log_lines) > 2
    assert whole.log_lines[0].endswith("INFO evaluation of llama (question_answering) on 4 samples begins")
    last = job_pb2.GetEvaluationJobLogsRequest(job_uuid="job", max_lines=1)
    assert list((await embedded.stub.GetJobLogs(last)).log_lines) == [whole.log_lines[-1]]
    later = job_pb2.GetEvaluationJobLogsRequest(job_uuid="job", after_sequence=1)
    followed = [line async for some in embedded.stub.FollowJobLogs(later) for line in some.log_lines]
    assert followed == list(whole.log_lines)[1:]


async def test_two_jobs_are_compared_sample_by_sample(embedded: Evaluating) -> None:
    embedded.peers.datasets.rows["qa"] = [question(str(number), str(number)) for number in range(40)]
    embedded.peers.inference.answer = lambda text: text if int(text) % 4 == 0 else "wrong"
    await embedded.answer("base")
    embedded.peers.inference.answer = lambda text: "wrong" if text == "4" else text
    await embedded.answer("tuned")
    request = comparison_pb2.CompareEvaluationJobsRequest(
        baseline_job_uuid="base", candidate_job_uuid="tuned", max_samples=3
    )
    found = await embedded.stub.CompareJobs(request)
    em = found.metrics["em"]
    assert (em.baseline, em.candidate, em.difference, em.num_pairs) == (0.25, 0.975, pytest.approx(0.725), 40)
    assert em.verdict == comparison_pb2.COMPARISON_VERDICT_BETTER
    assert 0 < em.low < em.difference < em.high < 1
    assert [(pair.candidate.index, pair.differences["em"]) for pair in found.samples] == [(1, 1.0), (2, 1.0), (3, 1.0)]
    request.baseline_job_uuid, request.candidate_job_uuid = "tuned", "base"
    assert (await embedded.stub.CompareJobs(request)).metrics["em"].verdict == comparison_pb2.COMPARISON_VERDICT_WORSE
    request.baseline_job_uuid = "base"
    same = (await embedded.stub.CompareJobs(request)).metrics["em"]
    assert (same.difference, same.verdict) == (0, comparison_pb2.COMPARISON_VERDICT_UNDECIDED)


async def test_jobs_that_can_not_be_compared_are_refused(embedded: Evaluating) -> None:
    await embedded.answer("done")
    await embedded.answer("failed", dataset="none")
    for other, expected in (("failed", WrongState), ("none", ResourceNotFound)):
        request = comparison_pb2.CompareEvaluationJobsRequest(baseline_job_uuid="done", candidate_job_uuid=other)
        assert isinstance(await refused(embedded.stub.CompareJobs(request)), expected)


async def test_checkpoints_are_served_for_the_time_of_a_job(embedded: Evaluating) -> None:
    names = {}
    for way in ("served", "fresh", "path"):
        request = questions(way)
        request.checkpoint.ClearField("model")
        if way == "path":
            request.checkpoint.path.uri = "file:///weights"
        else:
            request.checkpoint.checkpoint_id = way
        await embedded.stub.EvaluateQuestionAnswering(request)
        assert (await embedded.ended(way)).state == common_pb.JOB_STATE_COMPLETED
        names[way] = embedded.peers.inference.batches[-1].model
    assert names["served"] == "tuned"
    assert names["fresh"].startswith("evaluation-")
    assert embedded.peers.models.events == ["unload", "register file:///weights", "unregister"]
