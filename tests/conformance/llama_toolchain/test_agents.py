"""The agentic system client of llama-toolchain 0.0.8, as published, against the gateway and the agents service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.config import JsonConfig
from tests.conformance.installing import ROOT, python_with
from tests.conformance.serving import gateway, output_of
from tests.integration.agents.scripted import SEARCH, asks, call, custom, says
from tests.integration.agents.serving import Played, serving

# the first run installs the client
pytestmark = pytest.mark.timeout(600)

OF_ITS_TIME = JsonConfig(sse_always=True, wrap_urls=True)
BOIL = custom("get_boiling_point")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the client showed, by the names of its conversations."""
    python = python_with(ROOT / "requirements" / "client-llama-toolchain.lock")
    around = Played()
    around.tools.add(SEARCH)
    around.model.answers = [
        says("Hello", " there"),
        asks(call(SEARCH, query="nba")),
        says("The Celtics."),
        asks(call(BOIL, liquid="polyjuice")),
        says("-100 degrees."),
        says("Fine."),
    ]

    async def drive() -> bytes:
        url = f"sqlite:///{tmp_path_factory.mktemp('agents')}/agents.db"
        async with serving(around, url) as served, gateway(served.mesh.address, OF_ITS_TIME, ("agents",)) as base:
            host, _, port = base.removeprefix("http://").partition(":")
            return await output_of([python, Path(__file__).with_name("agents_client.py"), host, port])

    found: dict[str, Any] = json.loads(asyncio.run(drive()))
    return found


def kinds(run: dict[str, Any]) -> list[str]:
    """Return the kinds of a run's events; what the client itself adds has none."""
    return [
        f"{payload['event_type']} {payload.get('step_type') or ''}".strip()
        for payload in (event["event"]["payload"] for event in run["events"] if "event" in event)
    ]


def last(run: dict[str, Any]) -> Any:
    """Return the turn that ended a run."""
    return run["events"][-1]["event"]["payload"]["turn"]


def test_a_plain_turn_is_read(runs: dict[str, Any]) -> None:
    assert kinds(runs["hello"]) == [
        "turn_start",
        "step_start inference",
        "step_progress inference",
        "step_progress inference",
        "step_complete inference",
        "turn_complete",
    ]
    assert last(runs["hello"])["output_message"]["content"] == "Hello there"
    assert "Hello there" in runs["hello"]["said"]


def test_a_server_side_tool_is_read(runs: dict[str, Any]) -> None:
    steps = last(runs["search"])["steps"]
    assert [step["step_type"] for step in steps] == ["inference", "tool_execution", "inference"]
    assert steps[1]["tool_responses"][0]["content"] == "brave_search says so"
    assert "brave_search says so" in runs["search"]["said"]


def test_a_custom_tool_is_run_by_the_client_in_a_following_turn(runs: dict[str, Any]) -> None:
    told = [event for event in runs["custom"]["events"] if "event" not in event]
    assert [(one["role"], one["tool_name"]) for one in told] == [("ipython", "get_boiling_point")]
    assert last(runs["custom"])["input_messages"] == told
    assert last(runs["custom"])["output_message"]["content"] == "-100 degrees."


def test_shields_are_read(runs: dict[str, Any]) -> None:
    assert [step["step_type"] for step in last(runs["guarded"])["steps"]] == ["shield_call", "inference", "shield_call"]
    assert runs["guarded"]["said"].count("No Violation") == 2
    assert last(runs["guarded"])["output_message"]["content"] == "Fine."


def test_a_violation_is_the_output_of_its_turn(runs: dict[str, Any]) -> None:
    turn = last(runs["violation"])
    assert [step["step_type"] for step in turn["steps"]] == ["shield_call"]
    assert turn["steps"][0]["response"]["violation_type"] == "llama_guard"
    assert turn["output_message"]["content"] == "no llama_guard here"
