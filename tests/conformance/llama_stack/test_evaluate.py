"""The evaluate resources of llama-stack 0.0.1a5, as published, against the gateway and the evaluation service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance.installing import ROOT, python_with
from tests.conformance.serving import gateway, output_of
from tests.integration.eval.serving import evaluating

# the first run installs the client
pytestmark = pytest.mark.timeout(600)


async def test_the_published_client_evaluates_a_model(tmp_path: Path) -> None:
    python = python_with(ROOT / "requirements" / "client-llama-stack.lock")
    rows = json.dumps([{"question": "yes", "answer": "yes"}, {"question": "no", "answer": "yes"}])
    async with evaluating(tmp_path) as service, gateway(service.address, areas=("evaluations",)) as url:
        service.peers.inference.answer = lambda text: text.rpartition(" ")[2]
        client = Path(__file__).with_name("evaluate_client.py")
        found = json.loads(await output_of([python, client, url, f"data:application/json,{rows}"]))
    assert found["created"]["job_uuid"] == "qa"
    assert (found["status"]["job_uuid"], found["status"]["metrics"]["em"]["value"]) == ("qa", 0.5)
    assert len(found["artifacts"]["files"]) == 6
    assert found["logs"]["log_lines"][-1].endswith("2 samples are scored, 0 of them could not be")
    assert found["cancelled"] is None or found["cancelled"] == {}
    assert (found["summarization"]["job_uuid"], found["text_generation"]["job_uuid"]) == ("sum", "gen")
    assert found["missing"] == 404
