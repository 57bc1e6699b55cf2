"""The safety client of llama-toolchain 0.0.8, as published, against the gateway and the safety service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from llamastack.inference.v1.inference_pb2 import ChatCompletionRequest
from services.agents.safety.config import SafetyConfig
from tests.conformance.installing import ROOT, python_with
from tests.conformance.serving import gateway, output_of
from tests.integration.safety.party import party
from tests.integration.safety.serving import serving

# the first run installs the client
pytestmark = pytest.mark.timeout(600)

CANT = "I can't answer that. Can I help with something else?"
CONFIG = SafetyConfig(guard_model="guard", prompt_guard_model="classifier", private_hosts=("localhost",))


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    python = python_with(ROOT / "requirements" / "client-llama-toolchain.lock")

    async def drive() -> bytes:
        with party() as judge:
            judge.answer = b'{"is_violation": true, "violation_type": "tone"}'
            async with serving(CONFIG) as served, gateway(served.mesh.address, areas=("safety",)) as url:
                served.inference.says = "unsafe\nS9"
                output = await output_of([python, Path(__file__).with_name("safety_client.py"), url, judge.url()])
                assert isinstance(served.inference.asked[0], ChatCompletionRequest)
        assert judge.asked[0]["key"] == "k"
        return output

    answers: dict[str, Any] = json.loads(asyncio.run(drive()))
    return answers


def response(shield_type: str, kind: str | None = None, message: str | None = None) -> dict[str, Any]:
    return {
        "shield_type": shield_type,
        "is_violation": kind is not None,
        "violation_type": kind,
        "violation_return_message": message,
    }


def test_a_verdict_is_read(answers: dict[str, Any]) -> None:
    assert answers["guard"] == {"responses": [response("llama_guard", "S9", CANT)]}
    assert answers["none"] == {"responses": []}


def test_several_verdicts_are_read_in_the_order_of_the_request(answers: dict[str, Any]) -> None:
    concerns = "Sorry, I found security concerns in the code."
    assert answers["several"] == {
        "responses": [
            response("code_scanner_guard", "insecure-subprocess-using-shell", concerns),
            response("llama_guard", "S9", CANT),
            response("third_party_shield", "tone", "Sorry, I cannot go on with this."),
            response("pii_shield"),
            response("jailbreak_shield"),
        ]
    }


def test_an_unknown_shield_is_raised_with_its_status(answers: dict[str, Any]) -> None:
    start, _, body = answers["unknown"].partition("HTTP 404 ")
    assert start == "Error: "
    assert json.loads(body)["error"]["message"] == "shield 'moat' does not exist"
