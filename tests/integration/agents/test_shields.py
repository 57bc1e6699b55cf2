"""Shields of a turn: where they judge, what they judge, and what follows."""

from __future__ import annotations

import asyncio

import grpc.aio
import pytest

from llamastack.agents.v1 import config_pb2
from llamastack.agents.v1.tool_pb2 import AgenticSystemToolDefinition
from llamastack.safety.v1.shield_pb2 import ShieldDefinition, ShieldResponse, ShieldType
from mesh.errors import ResourceNotFound, WrongState
from tests.integration.agents.scripted import END_OF_MESSAGE, SEARCH, Said, asks, call, custom, says
from tests.integration.agents.serving import IGNORE, WARN, Played, Served, ended, refused, shape, shield, tools, until

STOPPED = [
    "start inference",
    "complete inference",
    "start shield_call assistant-output",
    "complete shield_call",
    "turn_complete",
]
"""How a turn ends whose answer its output shields do not let through."""


def shields(*given: ShieldDefinition) -> config_pb2.ShieldList:
    """Return a list of shields."""
    return config_pb2.ShieldList(shields=given)


async def test_shields_stand_at_both_ends_of_a_turn(served: Served, around: Played) -> None:
    around.model.answers = [says("fine")]
    talk = await served.session(
        input_shields=shields(shield("bomb"), shield("gun")), output_shields=shields(shield("bomb", WARN))
    )
    events = await talk.turn("hi")
    assert shape(events) == [
        "turn_start",
        "start shield_call user-input",
        "complete shield_call",
        "start inference",
        "+fine",
        "complete inference",
        "start shield_call assistant-output",
        "complete shield_call",
        "turn_complete",
    ]
    assert around.shields.asked == [["system: Be brief.", "user: hi"], ["user: hi", "assistant: fine"]]
    response = ended(events).steps[0].shield_call.response
    assert response == ShieldResponse(shield_type=ShieldType(custom="bomb"))


async def test_a_violation_of_the_input_ends_the_turn_before_the_model(served: Served, around: Played) -> None:
    around.model.answers = [says("fine")]
    talk = await served.session(input_shields=shields(shield("gun", IGNORE), shield("bomb")))
    events = await talk.turn("a bomb and a gun")
    assert shape(events) == ["turn_start", "start shield_call user-input", "complete shield_call", "turn_complete"]
    turn = ended(events)
    assert turn.output_message.content.text == "no bomb here"
    assert turn.steps[0].shield_call.response.violation_type == "bomb"
    await talk.turn("hi")
    assert around.model.prompts() == [
        ["system: Be brief.", "user: a bomb and a gun", "assistant: no bomb here", "user: hi"]
    ]


@pytest.mark.parametrize("action", [IGNORE, WARN])
async def test_a_violation_that_is_let_pass_is_reported_alone(served: Served, around: Played, action: int) -> None:
    around.model.answers = [says("fine"), says("again")]
    talk = await served.session(input_shields=shields(shield("bomb", action)))
    turn = ended(await talk.turn("a bomb"))
    assert (turn.steps[0].shield_call.response.is_violation, turn.output_message.content.text) == (True, "fine")
    await talk.turn("hi")
    assert around.model.prompts()[1] == ["system: Be brief.", "user: a bomb", "assistant: fine", "user: hi"]


async def test_an_answer_is_held_back_until_the_output_shields_pass(served: Served, around: Played) -> None:
    around.shields.gate = asyncio.Event()
    around.model.answers = [says("so", " fine")]
    talk = await served.session(output_shields=shields(shield("bomb")))
    stream = talk.stub.StreamCreateTurn(talk.request("hi"))
    first = await stream.read()
    later = asyncio.ensure_future(stream.read())
    await until(lambda: bool(around.shields.asked))
    assert not later.done()
    around.shields.gate.set()
    events = [first, await later]
    while (chunk := await stream.read()) is not grpc.aio.EOF:
        events.append(chunk)
    assert shape(events) == [
        "turn_start",
        "start inference",
        "+so",
        "+ fine",
        "complete inference",
        "start shield_call assistant-output",
        "complete shield_call",
        "turn_complete",
    ]


async def test_an_answer_that_is_not_let_through_is_in_no_event_and_in_no_step(served: Served, around: Played) -> None:
    around.model.answers = [says("first", reason=END_OF_MESSAGE), says("a bomb"), says("fine")]
    talk = await served.session(output_shields=shields(shield("bomb")))
    events = await talk.turn("hi", turn_id="mine")
    assert shape(events)[-5:] == STOPPED
    assert ended(events).output_message.content.text == "no bomb here"
    everything = str([events, await talk.get("mine"), await talk.resumed("mine")])
    assert ("a bomb" in everything, "first" in everything) == (False, False)
    await talk.turn("hello")
    assert around.model.prompts()[2] == ["system: Be brief.", "user: hi", "assistant: no bomb here", "user: hello"]


async def test_what_comes_before_a_tool_call_is_not_held_back_for_good(served: Served, around: Played) -> None:
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(SEARCH)), says("fine")]
    talk = await served.session(available_tools=tools(SEARCH), output_shields=shields(shield("bomb")))
    assert shape(await talk.turn("hi"))[:7] == [
        "turn_start",
        "start inference",
        "call",
        "call",
        "complete inference",
        "start tool_execution",
        "complete tool_execution",
    ]


async def test_a_partial_message_is_judged_like_the_one_that_follows_it(served: Served, around: Played) -> None:
    around.model.answers = [says("a bomb", reason=END_OF_MESSAGE), says(" and more")]
    talk = await served.session(output_shields=shields(shield("bomb")))
    events = await talk.turn("hi")
    assert ended(events).output_message.content.text == "no bomb here"
    assert "a bomb" not in str(events)
    assert around.shields.asked == [["user: hi", "assistant: a bomb"], ["user: hi", "assistant:  and more"]]


async def test_what_is_said_beside_a_tool_call_is_held_back_until_the_output_shields_pass(
    served: Served, around: Played
) -> None:
    around.tools.add(SEARCH)
    around.model.answers = [Said(("so",), (call(SEARCH),)), says("fine"), Said(("a bomb",), (call(SEARCH),))]
    talk = await served.session(available_tools=tools(SEARCH), output_shields=shields(shield("bomb")))
    assert shape(await talk.turn("hi"))[1:9] == [
        "start inference",
        "+so",
        "call",
        "call",
        "complete inference",
        "start shield_call assistant-output",
        "complete shield_call",
        "start tool_execution",
    ]
    events = await talk.turn("hello")
    assert shape(events)[1:] == STOPPED
    assert ended(events).output_message.content.text == "no bomb here"
    assert ("a bomb" in str(events), len(around.tools.ran)) == (False, 1)


async def test_a_custom_call_passes_the_output_shields_before_the_client_gets_it(
    served: Served, around: Played
) -> None:
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(custom("bomb"), "a"), call(SEARCH, "b"))]
    talk = await served.session(available_tools=tools(custom("bomb"), SEARCH), output_shields=shields(shield("bomb")))
    turn = ended(await talk.turn("hi"))
    assert (turn.output_message.content.text, list(turn.output_message.tool_calls)) == ("no bomb here", [])
    assert around.tools.ran == []


async def test_a_shield_that_can_not_judge_ends_the_turn_with_an_error(served: Served, around: Played) -> None:
    around.shields.broken.add("bomb")
    around.model.answers = [says("fine")]
    talk = await served.session(output_shields=shields(shield("bomb")))
    error = await refused(talk.stub.StreamCreateTurn(talk.request("hi", turn_id="mine")))
    assert (type(error), error.message) == (WrongState, "shield bomb can't run")
    assert "fine" not in str(await talk.get("mine"))


async def test_a_system_with_a_shield_that_is_not_there_is_not_made(served: Served) -> None:
    instance = config_pb2.AgenticSystemInstanceConfig(instructions="", input_shields=shields(shield("unknown")))
    request = config_pb2.AgenticSystemCreateRequest(model="llama", instance_config=instance)
    assert type(await refused(served.stub.CreateAgenticSystem(request))) is ResourceNotFound


async def test_the_shields_of_a_tool_stand_before_and_after_it(served: Served, around: Played) -> None:
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(SEARCH)), says("fine")]
    talk = await served.session(available_tools=tools(guarded("bomb", "gun")))
    assert shape(await talk.turn("hi"))[5:11] == [
        "start shield_call tool-input",
        "complete shield_call",
        "start tool_execution",
        "complete tool_execution",
        "start shield_call tool-output",
        "complete shield_call",
    ]
    assert around.shields.asked == [
        ["system: Be brief.", "user: hi", "assistant: [brave_search]"],
        ["system: Be brief.", "user: hi", "assistant: [brave_search]", "ipython: brave_search says so"],
    ]


async def test_a_violation_of_a_tools_arguments_keeps_it_from_running(served: Served, around: Played) -> None:
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(SEARCH))]
    talk = await served.session(available_tools=tools(guarded("brave", "gun")))
    turn = ended(await talk.turn("hi"))
    assert (turn.output_message.content.text, around.tools.ran) == ("no brave here", [])


async def test_a_violation_of_a_tools_result_ends_the_turn(served: Served, around: Played) -> None:
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(SEARCH)), says("fine")]
    talk = await served.session(available_tools=tools(guarded("bomb", "says so")))
    turn = ended(await talk.turn("hi"))
    kinds = [step.WhichOneof("step") for step in turn.steps]
    assert kinds == ["inference", "shield_call", "tool_execution", "shield_call"]
    assert turn.output_message.content.text == "no says so here"
    assert len(around.model.requests) == 1


def guarded(before: str, after: str) -> AgenticSystemToolDefinition:
    """Return a search with shields against a word in its arguments and one in its result."""
    return AgenticSystemToolDefinition(tool_name=SEARCH, input_shields=[shield(before)], output_shields=[shield(after)])
