"""The example programs against a running mesh with the built-in model and a search engine on loopback.

What the model says depends on its weights; what is asserted here is what happens: tools that are called, passages that
are found, files that come back, verdicts that end a turn.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from llamastack.agents.v1 import config_pb2, session_pb2, tool_pb2
from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceStub
from llamastack.agents.v1.turn_pb2 import AgenticSystemTurnCreateRequest, Turn, TurnInputMessage
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import UserMessage
from tests.e2e.conftest import RunningMesh, running
from tests.e2e.search_site import KEY, SearchSite, search_site

pytestmark = pytest.mark.timeout(1500)

ROOT = Path(__file__).resolve().parents[2]
NBA = "The Boston Celtics played the Dallas Mavericks in the NBA finals."
MUSEUM = "The museum in Lisbon opens at 9:30."
QUESTION = "Who played the NBA finals last year?"


@dataclass(frozen=True)
class World:
    """The mesh and the search engine that it asks."""

    mesh: RunningMesh
    site: SearchSite

    def example(self, name: str, *options: str) -> str:
        """Return what an example prints; it has to end well."""
        command = [sys.executable, "-m", f"examples.{name}", "--gateway", f"http://{self.mesh.gateway}", *options]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen")])}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with search_site({"NBA": NBA}, MUSEUM) as site:
        settings = {
            "ALTIPLANO_AGENTS_BRAVE_SEARCH_URL": site.url,
            "ALTIPLANO_AGENTS_BRAVE_SEARCH_API_KEY": KEY,
        }
        with running(tmp_path_factory.mktemp("builtin"), settings) as mesh:
            yield World(mesh, site)


def answers(printed: str) -> list[str]:
    """Return what the assistant said."""
    return re.findall(r"^assistant> (.*)$", printed, re.MULTILINE)


def test_hello_answers_whole_and_streamed(world: World) -> None:
    said = answers(world.example("hello"))
    assert len(said) == 2
    assert all(said)


def test_what_a_session_was_told_is_known_in_it_and_not_in_another(world: World) -> None:
    printed = world.example("multi_turn")
    *_, name, locker, stranger = answers(printed)
    assert "Amara" in name
    assert "7731" in locker
    assert "Amara" not in stranger
    assert "The server keeps 5 turns" in printed


def test_the_vacation_is_searched_for_on_the_web(world: World) -> None:
    before = len(world.site.queries)
    printed = world.example("vacation")
    asked = world.site.queries[before:]
    assert len(asked) == printed.count("tool> {") >= 3
    assert any("Lisbon" in query for query in asked)
    assert MUSEUM in printed
    assert NBA in printed


def test_a_question_leads_to_a_search_and_its_result_to_an_answer_over_grpc(world: World) -> None:
    with grpc.insecure_channel(world.mesh.agents) as channel:
        turn = turn_of(AgenticSystemServiceStub(channel))
    kinds = [step.WhichOneof("step") for step in turn.steps]
    assert kinds[:3] == ["inference", "tool_execution", "inference"]
    executed = turn.steps[1].tool_execution
    assert "NBA" in executed.tool_calls[0].arguments["query"].string_value
    assert NBA in executed.tool_responses[0].content.text
    assert "Boston Celtics" in turn.output_message.content.text


def test_a_question_leads_to_a_search_and_its_result_to_an_answer_over_rest(world: World) -> None:
    with httpx.Client(base_url=f"http://{world.mesh.gateway}", timeout=120, trust_env=False) as http:
        turn = turn_over_rest(http)
    assert [step["step_type"] for step in turn["steps"][:3]] == ["inference", "tool_execution", "inference"]
    executed = turn["steps"][1]
    assert "NBA" in executed["tool_calls"][0]["arguments"]["query"]
    assert NBA in executed["tool_responses"][0]["content"]
    assert "Boston Celtics" in turn["output_message"]["content"]


def turn_over_rest(http: httpx.Client) -> dict[str, Any]:
    """Return the turn of the question as the RFC's routes have it, by an agent with a search tool."""
    agent = {
        "model": "altiplano-builtin",
        "instructions": "",
        "available_tools": [{"tool_name": "brave_search"}],
    }
    system = http.post("/agentic_system/create", json={"agent_config": agent}).raise_for_status().json()["system_id"]
    opened = http.post("/agentic_system/session/create", json={"system_id": system, "session_name": "finals"})
    session = opened.raise_for_status().json()["session_id"]
    asked = {"system_id": system, "session_id": session, "messages": [{"role": "user", "content": QUESTION}]}
    answered = http.post("/agentic_system/turn/create", json=asked).raise_for_status().json()
    turn: dict[str, Any] = answered["event"]["payload"]["turn"]
    return turn


def turn_of(stub: AgenticSystemServiceStub) -> Turn:
    """Return the turn of the question, streamed by an agent with a search tool."""
    tools = config_pb2.AgentToolList(tools=[tool_pb2.AgentTool(search=tool_pb2.SearchTool())])
    config = config_pb2.AgenticSystemInstanceConfig(instructions="", model="altiplano-builtin", tools=tools)
    system = stub.CreateAgenticSystem(config_pb2.AgenticSystemCreateRequest(instance_config=config)).system_id
    session = stub.CreateSession(
        session_pb2.AgenticSystemSessionCreateRequest(system_id=system, session_name="finals")
    ).session_id
    request = AgenticSystemTurnCreateRequest(
        system_id=system,
        session_id=session,
        messages=[TurnInputMessage(user=UserMessage(content=Content(text=QUESTION)))],
    )
    *_, last = stub.StreamCreateTurn(request, timeout=120)
    return last.event.payload.turn_complete.turn


def test_a_transcript_is_kept_in_memory_and_answered_from(world: World) -> None:
    printed = world.example("podcast")
    assert printed.count("memory> 1 chunks of ") == 3
    assert "Ingrid Solberg" in answers(printed)[0]


def test_a_csv_is_computed_with_and_drawn(world: World, tmp_path: Path) -> None:
    plot = tmp_path / "plot.png"
    printed = world.example("inflation", "--out", str(plot))
    assert "call> code_interpreter" in printed
    assert "68" in printed
    assert "9 years, 2.86 percent on average, most in 2022" in printed
    assert plot.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_a_harmful_message_ends_at_the_shield_and_a_harmless_one_does_not(world: World) -> None:
    printed = world.example("llama_guard")
    harmless, harmful = answers(printed)
    assert harmless != harmful
    assert harmful == "I can't answer that. Can I help with something else?"
    assert printed.count("shield> ok") == 2
    assert len(re.findall(r"shield> violation of S\d+", printed)) == 1
    assert re.findall("is_violation=(True|False)", printed) == ["False", "True"]
