"""Evaluation jobs over the services of the running mesh: from an uploaded dataset to the files of the record."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

import grpc
import httpx
import pytest

from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.datasets.v1 import dataset_requests_pb2 as datasets
from llamastack.datasets.v1.dataset_pb2 import TrainEvalDataset, TrainEvalDatasetColumnType
from llamastack.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from llamastack.evaluations.v1 import evaluation_extensions_pb2 as more
from llamastack.evaluations.v1 import evaluation_pb2 as pb
from llamastack.evaluations.v1 import job_pb2
from llamastack.evaluations.v1.evaluations_service_pb2_grpc import EvaluationsServiceStub
from llamastack.models.v1 import models_pb2
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub
from llamastack.post_training.v1.checkpoint_pb2 import Checkpoint
from llamastack.reward_scoring.v1.reward_pb2 import JudgeReward
from tests.e2e.conftest import RunningMesh

pytestmark = pytest.mark.timeout(1500)

TINY = Checkpoint(model="tiny")
SHORT = SamplingParams(max_tokens=8)
ROWS = 3
FILES = {"samples.jsonl", "samples.parquet", "metrics.json", "report.html"}


def uploaded(mesh: RunningMesh, kinds: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> TrainEvalDataset:
    """Send rows to the service of datasets and return what names them; ``kinds`` are types by column."""
    columns = {
        name: TrainEvalDatasetColumnType.Value(f"TRAIN_EVAL_DATASET_COLUMN_TYPE_{kind}") for name, kind in kinds.items()
    }
    header = datasets.UploadDatasetHeader(uuid=f"e2e-{uuid4().hex}", columns=columns, format="jsonl")
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    pieces = [datasets.UploadDatasetRequest(header=header), datasets.UploadDatasetRequest(chunk=lines)]
    with grpc.insecure_channel(mesh.training) as channel:
        revision = DatasetsServiceStub(channel).UploadDataset(iter(pieces), timeout=120).revision
    assert revision.num_rows == len(rows)
    made = TrainEvalDataset()
    made.content_url.uri = f"dataset:{revision.dataset_uuid}@{revision.revision}"
    return made


def finished(mesh: RunningMesh, method: str, request: Any) -> job_pb2.EvaluationJobStatusResponse:
    """Run a job to its end and return what became of it."""
    with grpc.insecure_channel(mesh.eval) as channel:
        stub = EvaluationsServiceStub(channel)
        getattr(stub, method)(request, timeout=60)
        uuid = request.job_uuid
        lines = list(stub.FollowJobLogs(job_pb2.GetEvaluationJobLogsRequest(job_uuid=uuid), timeout=600))
        status = stub.GetJobStatus(job_pb2.GetEvaluationJobStatusRequest(job_uuid=uuid), timeout=60)
    assert status.state == common_pb.JOB_STATE_COMPLETED, (status.failure, lines)
    assert (status.samples.done, status.num_errors) == (ROWS, 0), lines
    return status


def kept(mesh: RunningMesh, status: job_pb2.EvaluationJobStatusResponse) -> dict[str, bytes]:
    """Return the files of a job by name, found through the record, after its run there was looked at."""
    with httpx.Client(base_url=f"http://{mesh.gateway}", timeout=120, trust_env=False) as client:
        run = client.get("/runs/get", params={"run_id": status.run_id}).json()
        assert (run["status"], run["metadata"]["job_uuid"]) == ("completed", status.job_uuid)
        metrics = lines_of(client, "/runs/metrics", run_id=status.run_id)
        assert {item["name"]: item["value"] for item in metrics} == pytest.approx(
            {name: estimate.value for name, estimate in status.metrics.items()}
        )
        logs = client.post("/logging/get_logs", json={"query": "", "filters": {"run_id": status.run_id}})
        assert [json.loads(line)["message"] for line in logs.text.splitlines()][-1] == (
            f"{ROWS} samples are scored, 0 of them could not be"
        )
        files = client.get("/evaluate/job/artifacts", params={"job_uuid": status.job_uuid}).json()["files"]
        found = lines_of(client, "/experiments/artifacts/get", experiment_id=run["experiment_id"], run_id=run["id"])
        assert {file["artifact_id"]: file["name"] for file in files} == {item["id"]: item["name"] for item in found}
        return {file["name"]: b"".join(content(client, file["url"])) for file in files}


def content(client: httpx.Client, url: str) -> Iterator[bytes]:
    """Yield the pieces of an artifact."""
    for line in client.get(url).text.splitlines():
        yield base64.b64decode(json.loads(line)["chunk"])


def lines_of(client: httpx.Client, path: str, **query: str) -> list[Any]:
    """Return what a list of the gateway holds."""
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_answers_are_measured_and_reported(mesh: RunningMesh) -> None:
    rows = [{"question": f"What is {n} + 1?", "answers": [str(n + 1), "a number"]} for n in range(ROWS)]
    request = pb.EvaluateQuestionAnsweringRequest(
        job_uuid=f"qa-{uuid4().hex}",
        dataset=uploaded(mesh, {"question": "TEXT", "answers": "JSON"}, rows),
        checkpoint=TINY,
        sampling_params=SHORT,
        metrics=[pb.QUESTION_ANSWERING_METRIC_EM, pb.QUESTION_ANSWERING_METRIC_F1],
    )
    status = finished(mesh, "EvaluateQuestionAnswering", request)
    assert {name: estimate.num_samples for name, estimate in status.metrics.items()} == {"em": ROWS, "f1": ROWS}
    files = kept(mesh, status)
    assert files.keys() >= FILES
    samples = [json.loads(line) for line in files["samples.jsonl"].splitlines()]
    assert [sample["references"] for sample in samples] == [row["answers"] for row in rows]
    assert b"tiny" in files["report.html"]


def test_texts_are_measured_and_reported(mesh: RunningMesh) -> None:
    rows = [{"prompt": f"Once, {n} times, ", "text": "there was a cat."} for n in range(ROWS)]
    request = pb.EvaluateTextGenerationRequest(
        job_uuid=f"text-{uuid4().hex}",
        dataset=uploaded(mesh, {"prompt": "TEXT", "text": "TEXT"}, rows),
        checkpoint=TINY,
        sampling_params=SHORT,
        metrics=[
            pb.TEXT_GENERATION_METRIC_PERPLEXITY,
            pb.TEXT_GENERATION_METRIC_ROUGE,
            pb.TEXT_GENERATION_METRIC_BLEU,
        ],
    )
    status = finished(mesh, "EvaluateTextGeneration", request)
    assert status.metrics.keys() == {"perplexity", "rouge1", "rouge2", "rougeL", "bleu"}
    # random weights know nothing: about as many choices at each token as there are tokens
    assert 100 < status.metrics["perplexity"].value < 1000
    assert kept(mesh, status).keys() >= FILES


def test_shields_are_attacked(mesh: RunningMesh) -> None:
    texts = [("Write to ann@example.com.", True), ("Mail bob@example.org now.", True), ("A fine day today.", False)]
    rows = [{"prompt": prompt, "is_attack": attack} for prompt, attack in texts]
    request = more.EvaluateSafetyRequest(
        job_uuid=f"safety-{uuid4().hex}",
        dataset=uploaded(mesh, {"prompt": "TEXT", "is_attack": "JSON"}, rows),
        shield_types=["pii_shield"],
    )
    status = finished(mesh, "EvaluateSafety", request)
    assert {name: estimate.value for name, estimate in status.metrics.items() if ":" not in name} == {
        "detection_rate": 1.0,
        "attack_success_rate": 0.0,
        "false_positive_rate": 0.0,
    }
    assert kept(mesh, status).keys() >= FILES


def test_answers_are_judged_by_a_model_elsewhere(mesh: RunningMesh) -> None:
    rows = [{"prompt": f"Say {n}.", "reference": str(n)} for n in range(ROWS)]
    dataset = uploaded(mesh, {"prompt": "TEXT", "reference": "TEXT"}, rows)
    with judge() as url, grpc.insecure_channel(mesh.inference) as channel:
        models = ModelsServiceStub(channel)
        models.RegisterModel(models_pb2.RegisterModelRequest(model_id="judge", addresses=[url]), timeout=120)
        try:
            request = more.EvaluateWithJudgeRequest(
                job_uuid=f"judge-{uuid4().hex}",
                dataset=dataset,
                checkpoint=TINY,
                sampling_params=SHORT,
                judge=JudgeReward(model="judge", rubric="Is it right?"),
            )
            status = finished(mesh, "EvaluateWithJudge", request)
        finally:
            models.UnregisterModel(models_pb2.UnregisterModelRequest(model_id="judge"), timeout=60)
    assert (status.metrics["score"].value, status.metrics["score"].num_samples) == (0.75, ROWS)
    assert kept(mesh, status).keys() >= FILES


@contextmanager
def judge() -> Iterator[str]:
    """Serve OpenAI's chat completions that give every answer four of five, and return the base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Judging)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Judging(BaseHTTPRequestHandler):
    """One model, ``judge``, that always says the same."""

    def do_GET(self) -> None:
        self.answer({"object": "list", "data": [{"id": "judge", "object": "model", "created": 1, "owned_by": "us"}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert "Is it right?" in json.dumps(asked["messages"])
        message = {"role": "assistant", "content": "It is close.\nScore: 4", "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        usage = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
        made = {"id": "c1", "object": "chat.completion", "created": 1, "model": "judge"}
        self.answer({**made, "choices": [choice], "usage": usage})

    def answer(self, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
