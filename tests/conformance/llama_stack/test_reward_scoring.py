"""The reward scoring resource of llama-stack 0.0.1a5, as published, against the gateway and the service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.installing import ROOT, python_with
from tests.conformance.serving import gateway, output_of
from tests.integration.rewards.serving import serving

# the first run installs the client
pytestmark = pytest.mark.timeout(600)

DIALOG = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}]


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "stop_reason": "end_of_turn", "tool_calls": []}


def test_scores_and_errors_are_read() -> None:
    python = python_with(ROOT / "requirements" / "client-llama-stack.lock")

    async def drive() -> Any:
        async with serving() as served, gateway(served.mesh.address, areas=("reward_scoring",)) as url:
            return json.loads(await output_of([python, Path(__file__).with_name("reward_client.py"), url]))

    scored = [{"message": said("4"), "score": 1.0}, {"message": said("four"), "score": 4.0}]
    assert asyncio.run(drive()) == {
        "reward": {
            "scored_generations": [
                {"dialog": DIALOG, "scored_generations": scored},
                {"dialog": DIALOG[1:], "scored_generations": []},
            ]
        },
        "none": {"raised": "NotFoundError", "status": 404},
    }
