"""Long conversations: what the model gets to read when its context does not hold everything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llamastack.agents.v1 import turn_pb2
from llamastack.agents.v1.turn_pb2 import ContextTrim, InferenceStep
from mesh.errors import OutOfRange
from tests.integration.agents.scripted import SEARCH, answering, asks, call, custom, line, says
from tests.integration.agents.serving import Played, Served, Talk, ended, refused, serving, told, tools

WORDS = " ".join(["word"] * 40)


def trims(turn: turn_pb2.Turn) -> list[ContextTrim | None]:
    """Return what each inference of a turn was not told."""
    steps: list[InferenceStep] = [step.inference for step in turn.steps if step.HasField("inference")]
    return [step.context_trim if step.HasField("context_trim") else None for step in steps]


async def converse(talk: Talk, around: Played, turns: int) -> list[turn_pb2.Turn]:
    """Have a conversation and return its turns."""
    around.model.answers = [says(f"answer{number}") for number in range(turns)]
    return [ended(await talk.turn(f"question{number} {WORDS}")) for number in range(turns)]


@pytest.mark.parametrize("tells", [True, False])
async def test_a_session_goes_on_beyond_the_context_without_its_oldest_turns(
    served: Served, around: Played, tells: bool
) -> None:
    around.model.context, around.model.tells = 1000, tells
    talk = await served.session()
    turns = await converse(talk, around, 60)
    assert [turn.output_message.content.text for turn in turns] == [f"answer{number}" for number in range(60)]
    assert trims(turns[0]) == [None]
    (trim,) = trims(turns[-1])
    prompt = around.model.prompts()[-1]
    first = f"user: question{60 - len(prompt) // 2}"
    assert prompt[0] == "system: Be brief."
    assert prompt[1].startswith(first)
    assert prompt[-2:] == ["assistant: answer58", f"user: question59 {WORDS}"]
    assert trim == ContextTrim(messages_left_out=2 * 59 + 2 - len(prompt))
    assert (await talk.get(turns[-1].turn_id)).steps == turns[-1].steps


async def test_results_that_are_too_long_are_clipped_with_a_note(served: Served, around: Played) -> None:
    around.model.context = 1000
    around.tools.add(SEARCH, answering("fact " * 3000))
    around.model.answers = [asks(call(SEARCH, "one"), call(SEARCH, "two")), says("known")]
    talk = await served.session(available_tools=tools(SEARCH))
    turn = ended(await talk.turn("look"))
    assert turn.output_message.content.text == "known"
    assert trims(turn) == [None, ContextTrim(results_clipped=2)]
    results = around.model.prompts()[-1][-2:]
    assert [result.count("characters left out …]") for result in results] == [1, 1]
    # the step has all of it
    (ran,) = [step.tool_execution for step in turn.steps if step.HasField("tool_execution")]
    assert [len(response.content.text) for response in ran.tool_responses] == [15000, 15000]


async def test_a_call_that_the_client_ran_stays_with_its_result(served: Served, around: Played) -> None:
    around.model.context = 1000
    ask = custom("ask")
    talk = await served.session(available_tools=tools(ask))
    await converse(talk, around, 25)
    around.model.answers = [asks(call(ask, "mine")), says("thanks")]
    asked = ended(await talk.turn(f"ask {WORDS}"))
    (made,) = asked.output_message.tool_calls
    turn = ended(await talk.turn(told(made, "fact " * 800)))
    assert turn.output_message.content.text == "thanks"
    prompt = [line(message) for message in around.model.requests[-1].messages]
    assert prompt[-3:-1] == [f"user: ask {WORDS}", "assistant: [ask]"]
    assert "characters left out" in prompt[-1]


async def test_with_the_setting_off_a_long_session_ends_in_a_typed_error(tmp_path: Path) -> None:
    around = Played()
    around.turns = replace(around.turns, prompt_tokens=0)
    around.model.context = 100
    around.model.answers = [says("one"), says("two")]
    async with serving(around, f"sqlite:///{tmp_path}/agents.db") as served:
        talk = await served.session()
        await talk.turn(WORDS)
        await talk.turn(WORDS)
        failure = await refused(talk.stub.StreamCreateTurn(talk.request(WORDS)))
        assert isinstance(failure, OutOfRange)
        # the session can go on
        around.model.context = 0
        around.model.answers = [says("three")]
        assert ended(await talk.turn(WORDS)).output_message.content.text == "three"


async def test_turns_that_are_too_old_are_not_read_and_no_result_without_its_call(tmp_path: Path) -> None:
    around, ask = Played(), custom("ask")
    around.turns = replace(around.turns, history_turns=3)
    around.model.answers = [says("one"), asks(call(ask, "mine")), says("two"), says("three"), says("four")]
    async with serving(around, f"sqlite:///{tmp_path}/agents.db") as served:
        talk = await served.session(available_tools=tools(ask))
        await talk.turn("a")
        (made,) = ended(await talk.turn("b")).output_message.tool_calls
        await talk.turn(told(made, "c"))
        await talk.turn("d")
        await talk.turn("e")
        around.model.answers = [says("five")]
        await talk.turn("f")
    of_d, of_e, of_f = around.model.prompts()[-3:]
    assert of_d == ["system: Be brief.", "user: a", "assistant: one", "user: b", "assistant: [ask]", *after("two")]
    assert of_e[1:4] == ["user: b", "assistant: [ask]", "ipython: c"]
    assert of_f == ["system: Be brief.", "user: d", "assistant: three", "user: e", "assistant: four", "user: f"]


def after(answer: str) -> list[str]:
    """Return what follows the call in a prompt."""
    return ["ipython: c", f"assistant: {answer}", "user: d"]


async def test_a_setting_keeps_prompts_below_what_the_context_holds(tmp_path: Path) -> None:
    around = Played()
    around.turns = replace(around.turns, prompt_tokens=500)
    async with serving(around, f"sqlite:///{tmp_path}/agents.db") as served:
        turns = await converse(await served.session(), around, 20)
    assert trims(turns[-1])[0] is not None
    assert sum(len(said.split()) for said in around.model.prompts()[-1]) < 500


async def test_what_the_user_says_at_once_is_never_cut(served: Served, around: Played) -> None:
    around.model.context = 100
    talk = await served.session()
    failure = await refused(talk.stub.StreamCreateTurn(talk.request("word " * 200)))
    assert isinstance(failure, OutOfRange)
