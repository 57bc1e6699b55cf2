"""The safety resource of llama-stack 0.0.1a5, as published, against the gateway and the safety service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from services.agents.safety.config import SafetyConfig
from tests.conformance.installing import ROOT, python_with
from tests.conformance.serving import gateway, output_of
from tests.integration.safety.party import party
from tests.integration.safety.serving import serving

# the first run installs the client
pytestmark = pytest.mark.timeout(600)


def test_verdicts_and_errors_are_read() -> None:
    python = python_with(ROOT / "requirements" / "client-llama-stack.lock")

    async def drive() -> Any:
        config = SafetyConfig(guard_model="guard", private_hosts=("localhost",))
        with party() as judge:
            async with serving(config) as served, gateway(served.mesh.address, areas=("safety",)) as url:
                served.inference.says = "unsafe\nS9,S10"
                output = await output_of([python, Path(__file__).with_name("safety_client.py"), url, judge.url()])
        assert judge.asked[0]["query"]["a"] == ["b"]
        assert json.loads(judge.asked[0]["query"]["messages"][0]) == [{"role": "user", "content": ["hel", "lo"]}]
        return json.loads(output)

    assert asyncio.run(drive()) == {
        "several": {
            "responses": [
                {"shield_type": "third_party_shield", "is_violation": False},
                {
                    "shield_type": "llama_guard",
                    "is_violation": True,
                    "violation_type": "S9,S10",
                    "violation_return_message": "I can't answer that. Can I help with something else?",
                },
                {"shield_type": "pii_shield", "is_violation": False},
            ]
        },
        "unknown": {"raised": "NotFoundError", "status": 404},
    }
