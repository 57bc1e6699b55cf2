"""The post-training resource of llama-stack 0.0.1a5, as published, against the gateway and the training service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.installing import ROOT, python_with
from tests.conformance.serving import gateway, output_of
from tests.integration.post_training.service import data_url, running
from tests.tiny_model import make_checkpoint

# the first run installs the client
pytestmark = pytest.mark.timeout(600)

ROWS = [{"prompt": "Say red.", "completion": " red", "chosen": " red", "rejected": " blue"}] * 8


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the client's calls gave or raised, by their names."""
    python = python_with(ROOT / "requirements" / "client-llama-stack.lock")
    folder = tmp_path_factory.mktemp("training")

    async def drive(address: str) -> bytes:
        async with gateway(address, areas=("post_training",)) as url:
            program = Path(__file__).with_name("post_training_client.py")
            return await output_of([python, program, url, data_url(ROWS), "model:base"])

    with running(folder / "data", make_checkpoint(folder / "base")) as service:
        found: dict[str, Any] = json.loads(asyncio.run(drive(service.address)))
    return found


def test_jobs_are_started_once_under_the_id_of_the_caller(answers: dict[str, Any]) -> None:
    first, again = answers["tune"], answers["tune, again"]
    assert (first["job_uuid"], first["scheduled_at"]) == (again["job_uuid"], again["scheduled_at"])
    assert first["job_uuid"] == "tune"
    assert answers["tune, another"] == {"raised": "ConflictError", "status": 409}
    assert answers["prefer"]["job_uuid"] == "prefer"


def test_jobs_are_listed_looked_at_and_cancelled(answers: dict[str, Any]) -> None:
    listed = answers["list"]
    lines = [json.loads(line) for line in listed.splitlines()] if isinstance(listed, str) else [listed]
    assert {line["job_uuid"] for line in lines} <= {"tune", "prefer"}
    assert lines
    assert answers["cancel"] is None
    assert answers["cancel, other"] is None
    status = answers["status"]
    assert (status["job_uuid"], status["checkpoints"]) == ("tune", [])
    assert status["status"] in ("failed", "running")
    assert answers["logs"]["job_uuid"] == "tune"
    assert isinstance(answers["logs"]["log_lines"], list)
    assert answers["artifacts"] == {"job_uuid": "tune", "checkpoints": []}
    assert answers["nobody"] == {"raised": "NotFoundError", "status": 404}


def test_what_the_hardware_cannot_do_is_refused_with_a_status(answers: dict[str, Any]) -> None:
    assert answers["refused"]["status"] in (400, 409, 412)
