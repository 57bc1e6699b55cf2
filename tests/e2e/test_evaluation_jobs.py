"""Evaluation jobs over the services of the running mesh: from an uploaded dataset to the files of the record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import grpc
import httpx
import pytest

from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.common.v1.tool_pb2 import ToolDefinition, ToolName
from llamastack.datasets.v1 import dataset_requests_pb2 as datasets
from llamastack.datasets.v1.dataset_pb2 import TrainEvalDataset, TrainEvalDatasetColumnType
from llamastack.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from llamastack.evaluations.v1 import evaluation_extensions_pb2 as more
from llamastack.evaluations.v1 import evaluation_pb2 as pb
from llamastack.evaluations.v1 import job_pb2
from llamastack.evaluations.v1.evaluations_service_pb2_grpc import EvaluationsServiceStub
from llamastack.post_training.v1.checkpoint_pb2 import Checkpoint
from llamastack.reward_scoring.v1.reward_pb2 import JudgeReward
from tests.e2e.conftest import RunningMesh
from tests.e2e.openai_model import Answer, Message, registered

pytestmark = pytest.mark.timeout(1500)

TINY = Checkpoint(model="tiny")
SHORT = SamplingParams(max_tokens=8)
ROWS = 3
KINDS = {
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
    "html": "text/html",
    "png": "image/png",
}
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
        return {file["name"]: content(client, file) for file in files}


def content(client: httpx.Client, file: Mapping[str, Any]) -> bytes:
    """Return the bytes of an artifact, as a browser gets them."""
    answer = client.get(file["url"])
    kind, _, charset = answer.headers["content-type"].partition(";")
    assert (answer.status_code, kind) == (200, KINDS[file["name"].rpartition(".")[2]])
    assert charset == (' charset="utf-8"' if kind.startswith("text/") else "")
    assert file["name"] in answer.headers["content-disposition"]
    assert "sandbox" in answer.headers["content-security-policy"]
    assert len(answer.content) == int(file["size_bytes"])
    return answer.content


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


def says(text: str) -> Answer:
    """Return a model that always says the same."""
    return lambda _: {"role": "assistant", "content": text}


def test_answers_are_judged_by_a_model_elsewhere(mesh: RunningMesh) -> None:
    rows = [{"prompt": f"Say {n}.", "reference": str(n)} for n in range(ROWS)]
    dataset = uploaded(mesh, {"prompt": "TEXT", "reference": "TEXT"}, rows)
    asked: list[str] = []

    def judge(messages: list[Message]) -> Message:
        asked.append(json.dumps(messages))
        return {"role": "assistant", "content": "It is close.\nScore: 4"}

    with registered(mesh, "judge", judge):
        request = more.EvaluateWithJudgeRequest(
            job_uuid=f"judge-{uuid4().hex}",
            dataset=dataset,
            checkpoint=TINY,
            sampling_params=SHORT,
            judge=JudgeReward(model="judge", rubric="Is it right?"),
        )
        status = finished(mesh, "EvaluateWithJudge", request)
    assert (status.metrics["score"].value, status.metrics["score"].num_samples) == (0.75, ROWS)
    assert kept(mesh, status).keys() >= FILES
    assert len(asked) == ROWS
    assert all("Is it right?" in question for question in asked)


def test_summaries_are_measured(mesh: RunningMesh) -> None:
    rows = [{"document": f"Cat {n} sat on the mat.", "summary": "The cat sat on the mat."} for n in range(ROWS)]
    with registered(mesh, "summarizer", says("The cat sat on the mat.")):
        request = pb.EvaluateSummarizationRequest(
            job_uuid=f"summary-{uuid4().hex}",
            dataset=uploaded(mesh, {"document": "TEXT", "summary": "TEXT"}, rows),
            checkpoint=Checkpoint(model="summarizer"),
            sampling_params=SHORT,
            metrics=[pb.SUMMARIZATION_METRIC_ROUGE, pb.SUMMARIZATION_METRIC_BLEU],
        )
        status = finished(mesh, "EvaluateSummarization", request)
    assert {name: estimate.value for name, estimate in status.metrics.items()} == {
        "rouge1": 1.0,
        "rouge2": 1.0,
        "rougeL": 1.0,
        "bleu": pytest.approx(100.0),
    }
    assert kept(mesh, status).keys() >= FILES


def test_tool_calls_are_measured(mesh: RunningMesh) -> None:
    rows = [
        {"dialog": [{"role": "user", "content": f"The weather in {city}?"}], "tool_calls": [weather(city)]}
        for city in ("Paris", "Rome", "Oslo")
    ]

    def calls(messages: list[Message]) -> Message:
        said = json.dumps(messages[-1])
        city = next(city for city in ("Paris", "Rome", "Oslo") if city in said)
        arguments = json.dumps({"city": "Rome" if city == "Oslo" else city})
        call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": arguments}}
        return {"role": "assistant", "content": None, "tool_calls": [call]}

    with registered(mesh, "caller", calls):
        request = more.EvaluateToolCallingRequest(
            job_uuid=f"calls-{uuid4().hex}",
            dataset=uploaded(mesh, {"dialog": "DIALOG", "tool_calls": "JSON"}, rows),
            checkpoint=Checkpoint(model="caller"),
            sampling_params=SHORT,
            available_tools=[ToolDefinition(tool_name=ToolName(custom="weather"))],
        )
        status = finished(mesh, "EvaluateToolCalling", request)
    assert {name: estimate.value for name, estimate in status.metrics.items()} == {
        "name_accuracy": 1.0,
        "arguments_accuracy": pytest.approx(2 / 3),
        "exact_match": pytest.approx(2 / 3),
    }
    assert kept(mesh, status).keys() >= FILES


def weather(city: str) -> dict[str, Any]:
    """Return the call that is right for a city."""
    return {"tool_name": "weather", "arguments": {"city": city}}


def test_retrieval_is_measured(mesh: RunningMesh) -> None:
    bank = f"graded-{uuid4().hex}"
    texts = {"cats": "Cats purr when they are content.", "ships": "Ships float.", "bread": "Bread is baked of flour."}
    about = {"mime_type": "text/plain", "metadata": {}}
    documents = [{"document_id": name, "content": text, **about} for name, text in texts.items()]
    with httpx.Client(base_url=f"http://{mesh.gateway}", timeout=120, trust_env=False) as client:
        made = client.post("/memory_banks/create", params={"bank_id": bank, "bank_name": "graded"}, json=documents)
        assert made.status_code == 200, made.text
    rows = [{"query": text, "relevant": [name]} for name, text in texts.items()]
    rows[2]["relevant"] = ["nowhere"]
    request = more.EvaluateRetrievalRequest(
        job_uuid=f"retrieval-{uuid4().hex}",
        dataset=uploaded(mesh, {"query": "TEXT", "relevant": "JSON"}, rows),
        memory_bank_ids=[bank],
        cutoffs=[1],
    )
    status = finished(mesh, "EvaluateRetrieval", request)
    found = pytest.approx(2 / 3)
    assert {name: estimate.value for name, estimate in status.metrics.items()} == {
        "mrr": found,
        "ndcg@1": found,
        "recall@1": found,
        "precision@1": found,
    }
    assert kept(mesh, status).keys() >= FILES
