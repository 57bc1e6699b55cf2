"""A turn: its steps, their order and their events."""

from __future__ import annotations

import asyncio

from llamastack.agents.v1 import config_pb2, turn_pb2
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.error_pb2 import ErrorReason
from llamastack.common.v1.message_pb2 import Message, SystemMessage, UserMessage
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.common.v1.tool_pb2 import TOOL_PROMPT_FORMAT_FUNCTION_TAG, ToolDefinition
from llamastack.inference.v1.inference_pb2 import ChatCompletionRequest
from mesh.errors import (
    BackendUnavailable,
    Cancelled,
    OutOfRange,
    ResourceBusy,
    ResourceExists,
    ResourceNotFound,
    WrongState,
)
from tests.integration.agents.scripted import END_OF_MESSAGE, OUT_OF_TOKENS, SEARCH, Said, asks, call, custom, says
from tests.integration.agents.serving import Played, Served, ended, refused, shape, tools, until

PLAIN = ["turn_start", "start inference", "+Hello", "+ there", "complete inference", "turn_complete"]


async def test_a_plain_turn_is_one_inference_and_its_events(served: Served, around: Played) -> None:
    around.model.answers = [says("Hello", " there")]
    talk = await served.session()
    events = await talk.turn("hi")
    assert shape(events) == PLAIN
    assert [chunk.sequence for chunk in events] == [1, 2, 3, 4, 5, 6]
    assert around.model.prompts() == [["system: Be brief.", "user: hi"]]
    turn = ended(events)
    assert turn.output_message.content.text == "Hello there"
    assert turn == await talk.get(turn.turn_id)
    assert list((await talk.whole()).turns) == [turn]


async def test_a_step_has_one_id_from_start_to_end_and_can_be_asked_for(served: Served, around: Played) -> None:
    around.model.answers = [says("Hello")]
    talk = await served.session()
    events = await talk.turn("hi")
    payloads = [chunk.event.payload for chunk in events]
    step = payloads[3].step_complete.step_details
    ids = {payloads[1].step_start.step_id, payloads[2].step_progress.step_id, step.inference.step_id}
    assert len(ids) == 1
    request = turn_pb2.GetStepRequest(
        agent_id=talk.system_id, turn_id=ended(events).turn_id, step_id=step.inference.step_id
    )
    assert (await talk.stub.GetStep(request)).step == step


async def test_the_unary_call_gives_the_last_event(served: Served, around: Played) -> None:
    around.model.answers = [says("Hello")]
    talk = await served.session()
    last = await talk.stub.CreateTurn(talk.request("hi"))
    assert (shape([last]), last.sequence) == (["turn_complete"], 5)
    assert ended([last]) == await talk.get(ended([last]).turn_id)


async def test_the_model_gets_the_settings_of_the_system(served: Served, around: Played) -> None:
    around.model.answers = [says("Hello")]
    sampling = SamplingParams(temperature=0.5, max_tokens=7)
    definition = ToolDefinition(tool_name=custom("forecast"), description="The weather.")
    talk = await served.session(
        instructions="",
        sampling_params=sampling,
        tool_prompt_format=TOOL_PROMPT_FORMAT_FUNCTION_TAG,
        available_tools=tools(definition),
    )
    await talk.turn("hi")
    assert around.model.requests == [
        ChatCompletionRequest(
            model="llama",
            messages=[Message(user=UserMessage(content=Content(text="hi")))],
            sampling_params=sampling,
            available_tools=[definition],
            tool_prompt_format=TOOL_PROMPT_FORMAT_FUNCTION_TAG,
            session_id=talk.session_id,
        )
    ]


async def test_a_tool_runs_between_two_inferences(served: Served, around: Played) -> None:
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(SEARCH, query="nba"), reason=END_OF_MESSAGE), says("The Celtics.")]
    talk = await served.session(available_tools=tools(SEARCH))
    events = await talk.turn("Who won?")
    assert shape(events) == [
        "turn_start",
        "start inference",
        "call",
        "call",
        "complete inference",
        "start tool_execution",
        "complete tool_execution",
        "start inference",
        "+The Celtics.",
        "complete inference",
        "turn_complete",
    ]
    assert around.model.prompts()[1] == [
        "system: Be brief.",
        "user: Who won?",
        "assistant: [brave_search]",
        "ipython: brave_search says so",
    ]


async def test_the_next_turn_sees_what_the_steps_before_left(served: Served, around: Played) -> None:
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(SEARCH)), says("The Celtics."), says("In June.")]
    talk = await served.session(available_tools=tools(SEARCH))
    await talk.turn("Who won?")
    await talk.turn("When?")
    assert around.model.prompts()[2] == [
        "system: Be brief.",
        "user: Who won?",
        "assistant: [brave_search]",
        "ipython: brave_search says so",
        "assistant: The Celtics.",
        "user: When?",
    ]


async def test_turns_that_did_not_go_well_are_not_part_of_the_conversation(served: Served, around: Played) -> None:
    around.model.answers = [says("half", failure=BackendUnavailable()), says("Hello")]
    talk = await served.session()
    await refused(talk.stub.StreamCreateTurn(talk.request("lost")))
    await talk.turn("again")
    assert around.model.prompts()[1] == ["system: Be brief.", "user: again"]


async def test_a_partial_message_is_appended_and_the_model_asked_again(served: Served, around: Played) -> None:
    around.model.answers = [says("Let me", reason=END_OF_MESSAGE), says(" think.")]
    talk = await served.session()
    turn = ended(await talk.turn("hi"))
    assert around.model.prompts()[1] == ["system: Be brief.", "user: hi", "assistant: Let me"]
    assert (len(turn.steps), turn.output_message.content.text) == (2, " think.")


async def test_out_of_tokens_ends_the_turn_even_with_a_call(served: Served, around: Played) -> None:
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(SEARCH), reason=OUT_OF_TOKENS)]
    talk = await served.session(available_tools=tools(SEARCH))
    turn = ended(await talk.turn("hi"))
    assert (len(turn.steps), turn.output_message.stop_reason) == (1, OUT_OF_TOKENS)
    assert around.tools.ran == []


async def test_no_more_inferences_than_allowed_are_made(served: Served, around: Played) -> None:
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(SEARCH)) for _ in range(20)]
    talk = await served.session(available_tools=tools(SEARCH))
    turn = ended(await talk.turn("hi"))
    assert [step.WhichOneof("step") for step in turn.steps] == ["inference", "tool_execution"] * 9 + ["inference"]
    limited = ended(await talk.turn("hi", override_config=config_pb2.AgenticSystemInstanceConfig(max_infer_iters=2)))
    assert len(around.model.requests) == 12
    assert [call_.call_id for call_ in limited.output_message.tool_calls] == ["one"]


async def test_an_override_counts_for_its_turn_alone(served: Served, around: Played) -> None:
    around.model.answers = [says("a"), says("b")]
    talk = await served.session(available_tools=tools(custom("forecast")))
    override = config_pb2.AgenticSystemInstanceConfig(
        instructions="Be long.", model="other", available_tools=config_pb2.ToolDefinitionList()
    )
    await talk.turn("hi", override_config=override)
    await talk.turn("hi")
    first, second = around.model.requests
    assert (first.model, list(first.available_tools)) == ("other", [])
    assert around.model.prompts()[0][0] == "system: Be long."
    assert (second.model, len(second.available_tools)) == ("llama", 1)
    assert around.model.prompts()[1][0] == "system: Be brief."


async def test_a_debugging_prefix_stands_for_instructions_and_tools(served: Served, around: Played) -> None:
    around.model.answers = [says("a")]
    prefix = [Message(system=SystemMessage(content=Content(text="raw")))]
    talk = await served.session(
        available_tools=tools(custom("forecast")), debug_prefix_messages=config_pb2.MessageList(messages=prefix)
    )
    await talk.turn("hi")
    assert around.model.prompts() == [["system: raw", "user: hi"]]
    assert list(around.model.requests[0].available_tools) == []


async def test_a_demanded_tool_call_guides_the_first_answer_alone(served: Served, around: Played) -> None:
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(SEARCH)), says("done"), says("no call")]
    talk = await served.session(available_tools=tools(SEARCH), tool_choice=config_pb2.TOOL_CHOICE_REQUIRED)
    await talk.turn("hi")
    first, second = around.model.requests
    names = [
        one.object_value.fields["properties"].object_value.fields["name"].object_value.fields["const"].string_value
        for one in first.guidance.json_schema.fields["anyOf"].array_value.values
    ]
    assert (names, second.HasField("guidance")) == (["brave_search"], False)
    assert type(await refused(talk.stub.CreateTurn(talk.request("hi")))) is WrongState


async def test_a_failure_of_the_model_is_the_failure_of_the_turn(served: Served, around: Played) -> None:
    around.model.answers = [says("Hel", failure=OutOfRange("the conversation is too long"))]
    talk = await served.session()
    request = talk.request("hi", turn_id="mine")
    error = await refused(talk.stub.StreamCreateTurn(request))
    assert (type(error), error.message) == (OutOfRange, "the conversation is too long")
    turn = await talk.get("mine")
    assert (turn.status, turn.error.reason) == (turn_pb2.TURN_STATUS_FAILED, ErrorReason.ERROR_REASON_OUT_OF_RANGE)
    assert type(await refused(talk.stub.StreamResumeTurn(talk.resume("mine")))) is OutOfRange
    assert type(await refused(talk.stub.ResumeTurn(talk.resume("mine")))) is OutOfRange


async def test_an_unknown_model_is_not_found(served: Served) -> None:
    talk = await served.session()
    override = config_pb2.AgenticSystemInstanceConfig(model="nobody")
    error = await refused(talk.stub.CreateTurn(talk.request("hi", override_config=override)))
    assert (type(error), error.details.resource) == (ResourceNotFound, None)


async def test_a_second_turn_of_a_session_is_told_to_come_again(served: Served, around: Played) -> None:
    gate, began = asyncio.Event(), asyncio.Event()
    around.model.answers = [says("slow", wait=gate, began=began), says("other"), says("after")]
    talk = await served.session()
    running = asyncio.ensure_future(talk.turn("hi"))
    await began.wait()
    error = await refused(talk.stub.CreateTurn(talk.request("me too")))
    assert (type(error), error.retry_after_s) == (ResourceBusy, 1.0)
    other = await served.another(talk.system_id)
    assert ended(await other.turn("hi")).output_message.content.text == "other"
    gate.set()
    await running
    assert ended(await talk.turn("again")).output_message.content.text == "after"


async def test_the_same_request_with_the_same_id_joins_its_turn(served: Served, around: Played) -> None:
    gate, began = asyncio.Event(), asyncio.Event()
    around.model.answers = [says("one", wait=gate, began=began)]
    talk = await served.session()
    first = asyncio.ensure_future(talk.turn("hi", turn_id="mine"))
    await began.wait()
    second = asyncio.ensure_future(talk.turn("hi", turn_id="mine"))
    gate.set()
    assert await first == await second == await talk.turn("hi", turn_id="mine")
    assert type(await refused(talk.stub.CreateTurn(talk.request("else", turn_id="mine")))) is ResourceExists
    assert len(around.model.requests) == 1


async def test_a_caller_who_goes_away_does_not_end_the_turn(served: Served, around: Played) -> None:
    gate, began = asyncio.Event(), asyncio.Event()
    around.model.answers = [says("one", wait=gate, began=began)]
    talk = await served.session()
    stream = talk.stub.StreamCreateTurn(talk.request("hi", turn_id="mine"))
    await began.wait()
    stream.cancel()
    gate.set()
    assert shape(await talk.resumed("mine")) == ["turn_start", *PLAIN[1:2], "+one", *PLAIN[4:]]


async def test_a_resumed_stream_has_each_later_event_once(served: Served, around: Played) -> None:
    gate, began = asyncio.Event(), asyncio.Event()
    around.model.answers = [says("Hello", " there", wait=gate, began=began)]
    talk = await served.session()
    first = aiter(talk.stub.StreamCreateTurn(talk.request("hi", turn_id="mine")))
    events = [await anext(first), await anext(first)]
    await began.wait()
    later = asyncio.ensure_future(talk.resumed("mine", 2))
    gate.set()
    events += [chunk async for chunk in first]
    assert shape(events) == PLAIN
    assert await later == events[2:]
    for after in range(len(events) + 1):
        assert await talk.resumed("mine", after) == events[after:]
    error = await refused(talk.stub.StreamResumeTurn(talk.resume("mine", len(events) + 1)))
    assert type(error) is OutOfRange
    assert await talk.stub.ResumeTurn(talk.resume("mine")) == events[-1]


async def test_a_cancelled_turn_ends_at_once_and_stays_so(served: Served, around: Played) -> None:
    gate, began = asyncio.Event(), asyncio.Event()
    around.model.answers = [says("slow", wait=gate, began=began), says("next")]
    talk = await served.session()
    stream = asyncio.ensure_future(refused(talk.stub.StreamCreateTurn(talk.request("hi", turn_id="mine"))))
    await began.wait()
    turn = await talk.cancel("mine")
    assert turn.status == turn_pb2.TURN_STATUS_CANCELLED
    assert type(await stream) is Cancelled
    assert await talk.cancel("mine") == turn == await talk.get("mine")
    assert ended(await talk.turn("again")).output_message.content.text == "next"


async def test_a_turn_that_has_ended_is_not_cancelled(served: Served, around: Played) -> None:
    around.model.answers = [says("Hello")]
    talk = await served.session()
    turn = ended(await talk.turn("hi"))
    assert await talk.cancel(turn.turn_id) == turn


async def test_turns_are_listed_by_status_in_pages(served: Served, around: Played) -> None:
    around.model.answers = [says("a"), Said(failure=BackendUnavailable()), says("c")]
    talk = await served.session()
    first = ended(await talk.turn("1"))
    await refused(talk.stub.CreateTurn(talk.request("2")))
    third = ended(await talk.turn("3"))

    async def page(token: str = "", status: int = 0, size: int = 2) -> turn_pb2.ListTurnsResponse:
        request = turn_pb2.ListTurnsRequest(
            agent_id=talk.system_id, session_id=talk.session_id, page_size=size, page_token=token, status=status
        )
        return await talk.stub.ListTurns(request)

    begun = await page()
    assert [turn.input_messages[0].user.content.text for turn in begun.turns] == ["1", "2"]
    assert list((await page(begun.next_page_token)).turns) == [third]
    assert list((await page(status=turn_pb2.TURN_STATUS_COMPLETED)).turns) == [first, third]
    failed = await page(status=turn_pb2.TURN_STATUS_FAILED)
    assert [turn.error.reason for turn in failed.turns] == [ErrorReason.ERROR_REASON_BACKEND_UNAVAILABLE]


async def test_deleting_a_session_ends_its_turn(served: Served, around: Played) -> None:
    gate, began = asyncio.Event(), asyncio.Event()
    around.model.answers = [says("slow", wait=gate, began=began)]
    talk = await served.session()
    stream = asyncio.ensure_future(refused(talk.stub.StreamCreateTurn(talk.request("hi"))))
    await began.wait()
    await talk.delete()
    assert type(await stream) in {Cancelled, ResourceNotFound}
    await until(lambda: around.tools.forgotten == [("default", talk.session_id)])
