"""Evaluations against the running mesh: perplexity by the engine's own numbers, and the lm-eval harness."""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.common.v1.value_pb2 import JsonObject
from llamastack.evaluations.v1 import evaluation_extensions_pb2, job_pb2
from llamastack.evaluations.v1.evaluations_service_pb2_grpc import EvaluationsServiceStub
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from llamastack.post_training.v1.checkpoint_pb2 import Checkpoint
from mesh.client import Client, ClientConfig
from mesh.json_text import value_of
from services.eval.evaluations.estimates import Resampling, estimates
from services.eval.evaluations.generation import Model
from services.eval.evaluations.sample import Outcome, Row
from services.eval.evaluations.tasks.perplexity import Perplexity
from tests.e2e.conftest import RunningMesh

pytestmark = pytest.mark.timeout(1500)

MODEL = "tiny"
TEXTS = [
    ("", "The quick brown fox jumps over the lazy dog."),
    ("Once upon a time", " there was a cat, größer than a house."),
    ("1 + 1 =", " 2"),
]
TASK = """
task: colours
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: multiple_choice
doc_to_text: "The {{{{thing}}}} is"
doc_to_target: "{{{{label}}}}"
doc_to_choice: ["green", "blue"]
metric_list:
  - metric: acc
"""


def torch_losses(checkpoint: Path) -> list[tuple[float, int]]:
    """Return the negative log-likelihood of each text given its prompt, and its tokens, by torch alone."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    found = []
    for prompt, text in TEXTS:
        whole = tokenizer(prompt + text)["input_ids"]
        first = max(1, len(tokenizer(prompt)["input_ids"]) if prompt else 1)
        with torch.no_grad():
            logits = model(torch.tensor([whole])).logits[0].double().log_softmax(-1)
        loss = -sum(logits[position - 1, whole[position]].item() for position in range(first, len(whole)))
        found.append((loss, len(whole) - first))
    return found


async def engine_outcomes(address: str) -> list[Outcome]:
    """Return what the task of evaluations measures against the running engine."""
    rows = [
        Row(index, JsonObject(fields={"prompt": value_of(prompt), "text": value_of(text)}))
        for index, (prompt, text) in enumerate(TEXTS)
    ]
    async with Client(ClientConfig()) as client:
        model = Model(InferenceServiceStub(client.channel(address)), MODEL, SamplingParams())
        return [outcome async for outcome in Perplexity(model).score(rows)]


def test_perplexity_is_that_of_a_direct_computation(mesh: RunningMesh) -> None:
    wanted = torch_losses(mesh.data.parent / MODEL)
    found = sorted(asyncio.run(engine_outcomes(mesh.inference)), key=lambda outcome: outcome.row.index)
    assert [outcome.error for outcome in found] == [None] * len(TEXTS)
    assert [outcome.statistics["perplexity"][1] for outcome in found] == [tokens for _, tokens in wanted]
    for outcome, (loss, tokens) in zip(found, wanted, strict=True):
        assert outcome.scores["perplexity"] == pytest.approx(math.exp(loss / tokens), rel=1e-3)
    whole = estimates([outcome.statistics for outcome in found], Resampling())["perplexity"]
    total = sum(loss for loss, _ in wanted) / sum(tokens for _, tokens in wanted)
    assert whole.value == pytest.approx(math.exp(total), rel=1e-3)


def test_the_harness_gives_the_same_unmodified_and_as_a_job(mesh: RunningMesh) -> None:
    tasks = mesh.data.parent / "tasks"
    tasks.mkdir(exist_ok=True)
    things = [("grass", 0), ("sky", 1), ("frog", 0), ("sea", 1), ("leaf", 0), ("ice", 1)]
    data = tasks / "colours.jsonl"
    data.write_text("".join(json.dumps({"thing": thing, "label": label}) + "\n" for thing, label in things))
    (tasks / "colours.yaml").write_text(TASK.format(data=data))
    request = evaluation_extensions_pb2.EvaluateHarnessRequest(
        job_uuid="harness", checkpoint=Checkpoint(model=MODEL), task="colours"
    )
    with grpc.insecure_channel(mesh.eval) as channel:
        stub = EvaluationsServiceStub(channel)
        stub.EvaluateHarness(request)
        list(stub.FollowJobLogs(job_pb2.GetEvaluationJobLogsRequest(job_uuid="harness"), timeout=600))
        status = stub.GetJobStatus(job_pb2.GetEvaluationJobStatusRequest(job_uuid="harness"))
    assert status.state == common_pb.JOB_STATE_COMPLETED, status.failure
    assert status.metrics["acc"].num_samples == len(things)
    assert unmodified(mesh, tasks) == status.metrics["acc"].value


def unmodified(mesh: RunningMesh, tasks: Path) -> float:
    """Run the harness by its own command line against the gateway and return the accuracy."""
    out = mesh.data.parent / "lm-eval"
    model = {
        "model": MODEL,
        "base_url": f"http://{mesh.gateway}/v1/completions",
        "tokenizer": str(mesh.data.parent / MODEL),
        "tokenizer_backend": "huggingface",
    }
    command = [
        *(sys.executable, "-m", "lm_eval", "run", "--model", "local-completions"),
        *("--model_args", ",".join(f"{name}={value}" for name, value in model.items())),
        *("--tasks", "colours", "--include_path", str(tasks), "--output_path", str(out)),
    ]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(out / "home")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads(next(out.rglob("results_*.json")).read_text())
    return float(results["results"]["colours"]["acc,none"])
