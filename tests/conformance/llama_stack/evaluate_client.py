"""Drives the evaluate resources of llama-stack and prints, as JSON, what each call gave or raised.

Runs with the interpreter of an environment that holds llama-stack: ``evaluate_client.py BASE_URL DATASET_URL``.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import llama_stack
from llama_stack import LlamaStack

WAIT_S = 40


def main(url: str, dataset: str) -> dict[str, Any]:
    """Start a job of each kind, wait for their ends, and return what the client made of the answers."""
    client = LlamaStack(base_url=url, max_retries=0)
    common: dict[str, Any] = {
        "dataset": {"columns": {"question": "text", "answer": "text"}, "content_url": dataset, "metadata": {}},
        "checkpoint": {"iters": 1, "epoch": 1, "path": None, "model": "llama"},
        "sampling_params": {"strategy": "greedy", "max_tokens": 0},
    }
    jobs, found = client.evaluate.jobs, {}
    questions = client.evaluate.question_answering.create
    # the client's own methods take no more than metrics, what else the RFC wants goes beside them
    found["created"] = shown(questions(metrics=["em", "f1"], extra_body={"job_uuid": "qa", **common}))
    deadline = time.monotonic() + WAIT_S
    while shown(jobs.status.list(job_uuid="qa"))["state"] not in {"completed", "failed"}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    found["status"] = shown(jobs.status.list(job_uuid="qa"))
    found["artifacts"] = shown(jobs.artifacts.list(job_uuid="qa"))
    found["logs"] = shown(jobs.logs.list(job_uuid="qa"))
    texts = {"document": "text", "summary": "text", "text": "text", "prompt": "text"}
    other = {**common, "dataset": {**common["dataset"], "columns": texts}}
    found["summarization"] = shown(
        client.evaluations.summarization(metrics=["rouge", "bleu"], extra_body={"job_uuid": "sum", **other})
    )
    found["text_generation"] = shown(
        client.evaluations.text_generation(metrics=["perplexity", "bleu"], extra_body={"job_uuid": "gen", **other})
    )
    found["cancelled"] = shown(jobs.cancel(job_uuid="qa"))
    jobs.list()
    try:
        jobs.status.list(job_uuid="none")
    except llama_stack.NotFoundError as error:
        found["missing"] = error.status_code
    return found


def shown(given: Any) -> Any:
    """Return an object of the client as plain values."""
    return given.to_dict() if hasattr(given, "to_dict") else given


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:]), default=str))
