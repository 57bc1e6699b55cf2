"""The routes of shields, through the gateway."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from services.agents.safety.config import SafetyConfig
from tests.conformance.serving import gateway
from tests.integration.safety.party import party
from tests.integration.safety.serving import Served, serving

pytestmark = pytest.mark.timeout(240)

HELLO = {"role": "user", "content": "hello"}


@dataclass(frozen=True)
class Rest:
    """A client of the gateway, and the service behind it."""

    client: httpx.AsyncClient
    served: Served


@pytest.fixture
async def rest() -> AsyncIterator[Rest]:
    config = SafetyConfig(guard_model="guard", private_hosts=("localhost",))
    async with (
        serving(config) as served,
        gateway(served.mesh.address, areas=("safety",)) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=120) as client,
    ):
        yield Rest(client, served)


async def test_shields_run_by_the_rfcs_names_and_answer_in_order(rest: Rest) -> None:
    rest.served.inference.says = "unsafe\nS1"
    with party() as judge:
        config = {"url": judge.url(), "method": "POST"}
        shields = [
            {"shield_type": "third_party_shield", "on_violation_action": 0, "execution_config": config},
            {"shield_type": "llama_guard", "on_violation_action": 2},
            {"shield_type": "pii_shield"},
        ]
        answer = await rest.client.post("/safety/run_shields", json={"messages": [HELLO], "shields": shields})
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "responses": [
                {"shield_type": "third_party_shield", "is_violation": False},
                {
                    "shield_type": "llama_guard",
                    "is_violation": True,
                    "violation_type": "S1",
                    "violation_return_message": "I can't answer that. Can I help with something else?",
                },
                {"shield_type": "pii_shield", "is_violation": False},
            ]
        },
    )
    assert judge.asked[0]["body"] == {"messages": [HELLO]}


async def test_errors_have_the_status_of_their_kind(rest: Rest) -> None:
    async def status(*shields: dict[str, object]) -> int:
        body = {"messages": [HELLO], "shields": shields}
        return (await rest.client.post("/safety/run_shields", json=body)).status_code

    assert await status({"shield_type": "moat"}) == 404
    assert await status({"shield_type": "jailbreak_shield"}) == 400
    assert await status({"shield_type": "third_party_shield"}) == 400
    rest.served.inference.says = "perhaps"
    assert await status({"shield_type": "llama_guard"}) == 400


async def test_shields_are_listed_as_json_lines(rest: Rest) -> None:
    listed = await rest.client.get("/safety/shields/list")
    infos = [json.loads(line) for line in listed.text.splitlines()]
    assert [(info["shield_type"], info["available"]) for info in infos] == [
        ("llama_guard", True),
        ("code_scanner_guard", True),
        ("third_party_shield", True),
        ("injection_shield", False),
        ("jailbreak_shield", False),
        ("pii_shield", True),
    ]
