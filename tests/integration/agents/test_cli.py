"""``altiplano agent`` against a running service."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from llamastack.agents.v1.tool_pb2 import AgenticSystemToolDefinition
from tests.integration.agents.scripted import SEARCH, asks, call, says
from tests.integration.agents.serving import Played, Served, tools

ROOT = Path(__file__).resolve().parents[3]


async def altiplano(served: Served, *arguments: str, given: str = "") -> tuple[int, str, str]:
    """Run the command and return its exit code and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "agent", "--address", served.mesh.address, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", "NO_COLOR": "1"},
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate(given.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_a_conversation_is_shown_step_by_step_and_exported(served: Served, around: Played) -> None:
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(SEARCH, query="nba")), says("The ", "[b]Celtics."), says("In June.")]
    code, out, err = await altiplano(served, "run", "--tool", "brave_search", given="Who won?\nWhen?\n")
    assert (code, out.splitlines()) == (
        0,
        [
            "model",
            'calls brave_search(query="nba") [one]',
            "tools",
            "brave_search: brave_search says so",
            "model",
            "The [b]Celtics.",
            "model",
            "In June.",
        ],
    )
    _, system, _, session = err.split()
    code, out, _ = await altiplano(served, "sessions", system)
    assert (code, out.split()[0]) == (0, session)
    code, out, _ = await altiplano(served, "sessions", system, session)
    turns = json.loads(out)["turns"]
    assert [turn["output_message"]["content"] for turn in turns] == ["The [b]Celtics.", "In June."]
    code, out, _ = await altiplano(served, "turn", system, turns[0]["turn_id"])
    assert (code, json.loads(out)) == (0, turns[0])
    code, out, _ = await altiplano(served, "--json", "resume", system, turns[1]["turn_id"], "--after", "4")
    assert json.loads(out)["event"]["payload"]["turn"] == turns[1]


async def test_a_call_is_approved_from_elsewhere(served: Served, around: Played) -> None:
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(SEARCH)), says("done")]
    asking = AgenticSystemToolDefinition(tool_name=SEARCH, requires_approval=True)
    talk = await served.session(available_tools=tools(asking))
    await talk.stub.CreateTurn(talk.request("hi", turn_id="mine"))
    code, out, _ = await altiplano(served, "approve", talk.system_id, "mine", "one", "--reject", "--reason", "no")
    assert (code, out) == (0, "running\n")
    code, out, _ = await altiplano(served, "resume", talk.system_id, "mine")
    assert out.splitlines()[2:] == [
        "waits for approval: brave_search() [one]",
        "tools",
        "brave_search: A person did not allow this call: no",
        "model",
        "done",
    ]


async def test_what_did_not_fit_into_the_context_is_told(served: Served, around: Played) -> None:
    around.model.context = 100
    around.model.answers = [says("one"), says("two")]
    talk = await served.session()
    await talk.turn("word " * 50)
    await talk.turn("word " * 50, turn_id="mine")
    code, out, _ = await altiplano(served, "resume", talk.system_id, "mine")
    told = "did not fit into the context: 2 messages left out, 0 results clipped"
    assert (code, out.splitlines()) == (0, ["model", "two", told])


async def test_wrong_input_is_told_in_one_line(served: Served) -> None:
    code, _, err = await altiplano(served, "turn", "none", "none")
    assert (code, err) == (1, "altiplano: NOT_FOUND: turn 'none' does not exist\n")
    code, _, err = await altiplano(served, "run", "hi", "--session", "s")
    assert (code, err) == (2, "altiplano: --session: --system is needed as well\n")
