"""The route of reward scoring, through the gateway."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.conformance.serving import gateway
from tests.integration.rewards.serving import serving

pytestmark = pytest.mark.timeout(240)

DIALOG = [{"role": "user", "content": "2 + 2?"}]


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "stop_reason": "end_of_turn", "tool_calls": []}


async def test_answers_are_scored_over_rest() -> None:
    generations = [{"dialog": DIALOG, "sampled_generations": [said("4"), said("five")], "reference": "4"}]
    async with (
        serving() as served,
        gateway(served.mesh.address, areas=("reward_scoring",)) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=120) as client,
    ):
        body: dict[str, Any] = {"dialog_generations": generations, "model": "reward"}
        by_model = await client.post("/reward_scoring/score", json=body)
        exact = {**body, "model": "", "reward": {"exact_match": {}}, "threshold": 1}
        by_match = await client.post("/reward_scoring/score", json=exact)
        neither = await client.post("/reward_scoring/score", json={**body, "model": ""})
    scored = [{"message": said("4"), "score": 1.0}, {"message": said("five"), "score": 4.0}]
    assert (by_model.status_code, by_model.json()) == (
        200,
        {"scored_generations": [{"dialog": DIALOG, "scored_generations": scored}]},
    )
    best = [{"message": said("4"), "score": 1.0, "explanation": '"4" is "4"'}]
    assert (by_match.status_code, by_match.json()) == (
        200,
        {"scored_generations": [{"dialog": DIALOG, "scored_generations": best}]},
    )
    assert neither.status_code == 400
