"""The list of shields, and what it says of those that can't run."""

from __future__ import annotations

import pytest

from llamastack.safety.v1.shield_pb2 import ShieldInfo
from services.agents.safety.config import SafetyConfig
from tests.integration.safety.serving import CODE, GUARD, INJECTION, JAILBREAK, PII, THIRD_PARTY, serving

pytestmark = pytest.mark.timeout(240)


async def test_every_shield_is_listed_with_what_keeps_it_from_running() -> None:
    config = SafetyConfig(guard_model="guard", prompt_guard_model="classifier")
    async with serving(config) as served:
        infos = await served.infos()
    states = [(info.shield_type, info.available, info.unavailable_reason) for info in infos]
    assert states == [
        (GUARD, True, ""),
        (CODE, True, ""),
        (THIRD_PARTY, True, ""),
        (INJECTION, False, "The model classifier is not ready."),
        (JAILBREAK, False, "The model classifier is not ready."),
        (PII, True, ""),
    ]
    assert all(info.description for info in infos)
    assert [info.HasField("unavailable_reason") for info in infos] == [not info.available for info in infos]


async def test_models_that_are_missing_are_told() -> None:
    async with serving(SafetyConfig(guard_model="", prompt_guard_model="absent")) as served:
        reasons = {_name(info): info.unavailable_reason for info in await served.infos()}
    assert reasons["llama_guard"] == "No guard model is configured."
    assert reasons["jailbreak"] == "The inference service has no model absent."


def _name(info: ShieldInfo) -> str:
    return {GUARD.builtin: "llama_guard", JAILBREAK.builtin: "jailbreak"}.get(info.shield_type.builtin, "")
