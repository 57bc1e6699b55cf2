"""The agentic system resources of llama-stack 0.0.1a5, as published, against the gateway and the agents service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.installing import ROOT, python_with
from tests.conformance.serving import gateway, output_of
from tests.integration.agents.scripted import SEARCH, asks, call, says
from tests.integration.agents.serving import Played, serving

# the first run installs the client
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the client's calls gave, by their names."""
    python = python_with(ROOT / "requirements" / "client-llama-stack.lock")
    around = Played()
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(SEARCH, query="nba")), says("The Celtics."), says("As I said.")]

    async def drive() -> bytes:
        url = f"sqlite:///{tmp_path_factory.mktemp('agents')}/agents.db"
        async with serving(around, url) as served, gateway(served.mesh.address, areas=("agents",)) as base:
            return await output_of([python, Path(__file__).with_name("agents_client.py"), base])

    found: dict[str, Any] = json.loads(asyncio.run(drive()))
    return found


def test_a_stream_of_events_is_read(answers: dict[str, Any]) -> None:
    kinds = [event["event"]["payload"]["event_type"] for event in answers["streamed"]]
    assert (kinds[0], kinds[-1]) == ("turn_start", "turn_complete")
    assert kinds.count("step_complete") == 3
    turn = answers["streamed"][-1]["event"]["payload"]["turn"]
    assert turn["output_message"]["content"] == "The Celtics."


def test_a_whole_turn_is_read(answers: dict[str, Any]) -> None:
    turn = answers["whole"]["event"]["payload"]["turn"]
    assert turn["output_message"]["content"] == "As I said."


def test_turns_and_steps_are_read_again(answers: dict[str, Any]) -> None:
    turn = answers["streamed"][-1]["event"]["payload"]["turn"]
    assert answers["turn"] == turn
    assert answers["step"] == {"step": turn["steps"][1]}


def test_a_session_holds_its_turns_until_it_is_deleted(answers: dict[str, Any]) -> None:
    first = answers["streamed"][-1]["event"]["payload"]["turn"]
    second = answers["whole"]["event"]["payload"]["turn"]
    assert answers["session"]["session_name"] == "talk"
    assert answers["session"]["turns"] == [first, second]
    assert answers["some turns"]["turns"] == [first]
    assert answers["deleted"] == 404
