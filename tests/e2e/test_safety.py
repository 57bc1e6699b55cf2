"""What a user of the running mesh sees of shields and of reward scoring, over REST."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.e2e.conftest import RunningMesh

pytestmark = pytest.mark.timeout(1500)

HELLO = {"role": "user", "content": "Write to ann@example.com."}


def post(mesh: RunningMesh, path: str, body: dict[str, Any]) -> httpx.Response:
    with httpx.Client(base_url=f"http://{mesh.gateway}", timeout=180, trust_env=False) as client:
        return client.post(path, json=body)


def test_a_scanner_judges_a_message(mesh: RunningMesh) -> None:
    answer = post(mesh, "/safety/run_shields", {"messages": [HELLO], "shields": [{"shield_type": "pii_shield"}]})
    assert answer.status_code == 200, answer.text
    [response] = answer.json()["responses"]
    assert (response["is_violation"], response["violation_type"]) == (True, "EMAIL_ADDRESS")


def test_a_model_that_is_no_guard_lets_nothing_pass(mesh: RunningMesh) -> None:
    shields = [{"shield_type": "llama_guard", "model": "tiny"}]
    answer = post(mesh, "/safety/run_shields", {"messages": [HELLO], "shields": shields})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "FAILED_PRECONDITION")


def test_code_is_scored_by_its_tests_in_the_sandbox(mesh: RunningMesh) -> None:
    tests = (
        "from answer import add\ndef test_one():\n    assert add(1, 1) == 2\ndef test_two():\n    assert add(2, 3) == 5"
    )
    codes = ["def add(a, b):\n    return a + b", "def add(a, b):\n    return 2", "Sorry."]
    common = {"role": "assistant", "stop_reason": "end_of_turn", "tool_calls": []}
    said = [{**common, "content": f"```python\n{code}\n```"} for code in codes]
    body = {
        "dialog_generations": [{"dialog": [HELLO], "sampled_generations": said}],
        "model": "",
        "reward": {"unit_test": {"tests": tests}},
    }
    answer = post(mesh, "/reward_scoring/score", body)
    assert answer.status_code == 200, answer.text
    [scored] = answer.json()["scored_generations"]
    assert [one["score"] for one in scored["scored_generations"]] == [1.0, 0.5, 0.0]


def test_answers_are_scored(mesh: RunningMesh) -> None:
    said = {"role": "assistant", "content": "The 4", "stop_reason": "end_of_turn", "tool_calls": []}
    generations = [{"dialog": [HELLO], "sampled_generations": [said], "reference": "4"}]
    reward = {"exact_match": {"normalize": True}}
    answer = post(mesh, "/reward_scoring/score", {"dialog_generations": generations, "model": "", "reward": reward})
    assert answer.status_code == 200, answer.text
    assert answer.json()["scored_generations"][0]["scored_generations"][0]["score"] == 1.0
