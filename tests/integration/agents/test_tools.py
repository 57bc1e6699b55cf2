"""Tool calls of a turn: run here, by the client, or not at all; allowed by a person; what becomes of them."""

from __future__ import annotations

import asyncio

from llamastack.agents.v1 import config_pb2, turn_pb2
from llamastack.agents.v1 import tool_pb2 as pb
from llamastack.common.v1.content_pb2 import Attachment, Content, Url
from llamastack.common.v1.tool_pb2 import REST_API_METHOD_GET, RestApiExecutionConfig, ToolCall, ToolResponse
from mesh.errors import BackendUnavailable, ResourceBusy, ResourceNotFound, WrongState
from services.agents.tooling import AgentTool, ToolContext, ToolResult
from tests.integration.agents.scripted import CODE, SEARCH, answering, asks, call, custom, says
from tests.integration.agents.serving import Played, Served, ended, refused, shape, told, tools

FORECAST = custom("forecast")
PNG = Attachment(url=Url(uri="data:image/png;base64,AAAA"), mime_type="image/png")


def texts(turn: turn_pb2.Turn) -> list[str]:
    """Return what the tools of a turn said."""
    return [response.content.text for step in turn.steps for response in step.tool_execution.tool_responses]


async def test_a_custom_call_ends_the_turn_and_a_following_turn_brings_its_result(
    served: Served, around: Played
) -> None:
    wanted = call(FORECAST, city="La Paz")
    around.model.answers = [asks(wanted), says("Sun.")]
    talk = await served.session(available_tools=tools(FORECAST))
    turn = ended(await talk.turn("Weather?"))
    assert list(turn.output_message.tool_calls) == [wanted]
    assert [step.WhichOneof("step") for step in turn.steps] == ["inference"]
    assert ended(await talk.turn(told(wanted, "sunny"))).output_message.content.text == "Sun."
    assert around.model.prompts()[1] == [
        "system: Be brief.",
        "user: Weather?",
        "assistant: [forecast]",
        "ipython: sunny",
    ]


async def test_a_message_that_mixes_in_a_custom_call_ends_the_turn_after_the_others_ran(
    served: Served, around: Played
) -> None:
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(FORECAST, "a"), call(SEARCH, "b")), says("Both.")]
    talk = await served.session(available_tools=tools(SEARCH, FORECAST))
    turn = ended(await talk.turn("hi"))
    assert [one.call_id for one in turn.output_message.tool_calls] == ["a", "b"]
    (execution,) = [step.tool_execution for step in turn.steps if step.HasField("tool_execution")]
    assert ([one.call_id for one in execution.tool_calls], texts(turn)) == (["b"], ["brave_search says so"])
    await talk.turn(told(call(FORECAST, "a"), "sunny"))
    assert around.model.prompts()[1][2:] == [
        "assistant: [forecast][brave_search]",
        "ipython: brave_search says so",
        "ipython: sunny",
    ]


async def test_calls_of_one_message_run_at_once_and_keep_their_order(served: Served, around: Played) -> None:
    second = asyncio.Event()

    async def slow(made: ToolCall, context: ToolContext) -> ToolResult:
        if made.call_id == "a":
            await second.wait()
        second.set()
        return await answering(f"result {made.call_id}")(made, context)

    around.tools.add(SEARCH, slow)
    around.model.answers = [asks(call(SEARCH, "a"), call(SEARCH, "b")), says("done")]
    talk = await served.session(available_tools=tools(SEARCH))
    assert texts(ended(await talk.turn("hi"))) == ["result a", "result b"]


async def test_a_tool_that_is_not_there_is_told_to_the_model(served: Served, around: Played) -> None:
    around.model.answers = [asks(call(custom("teleport"))), says("Sorry.")]
    talk = await served.session()
    turn = ended(await talk.turn("hi"))
    assert texts(turn) == ["There is no tool teleport."]
    assert turn.output_message.content.text == "Sorry."


async def test_a_tool_that_takes_too_long_is_told_to_the_model(served: Served, around: Played) -> None:
    async def failing(made: ToolCall, context: ToolContext) -> ToolResult:
        raise TimeoutError

    around.tools.add(SEARCH, failing)
    around.model.answers = [asks(call(SEARCH)), says("Sorry.")]
    talk = await served.session(available_tools=tools(SEARCH))
    assert texts(ended(await talk.turn("hi"))) == ["The tool did not answer within 5 s."]


async def test_a_tool_that_can_not_be_tried_ends_the_turn(served: Served, around: Played) -> None:
    async def failing(made: ToolCall, context: ToolContext) -> ToolResult:
        raise BackendUnavailable("the sandbox is gone")

    around.tools.add(SEARCH, failing)
    around.model.answers = [asks(call(SEARCH))]
    talk = await served.session(available_tools=tools(SEARCH))
    assert (await refused(talk.stub.CreateTurn(talk.request("hi")))).message == "the sandbox is gone"


async def test_a_tool_gets_its_settings_and_its_surroundings(served: Served, around: Played) -> None:
    around.tools.add(FORECAST, idempotent=True)
    remote = RestApiExecutionConfig(url=Url(uri="https://weather.example/"), method=REST_API_METHOD_GET)
    defined = pb.AgenticSystemToolDefinition(tool_name=FORECAST, description="Weather.", execution_config=remote)
    search = pb.AgentTool(search=pb.SearchTool(engine=pb.SEARCH_ENGINE_TAVILY))
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(FORECAST, "a"), call(SEARCH, "b")), says("done")]
    talk = await served.session(available_tools=tools(defined), tools=config_pb2.AgentToolList(tools=[search]))
    turn = ended(await talk.turn("hi"))
    (_, forecast), (_, searching) = sorted(around.tools.ran, key=lambda ran: ran[0].call_id)
    told_of = around.model.requests[0].available_tools
    assert forecast.tool == AgentTool(told_of[0], runs_here=True, execution_config=remote)
    assert searching.tool == AgentTool(told_of[1], runs_here=True, engine=pb.SEARCH_ENGINE_TAVILY)
    assert told_of[0].description == "Weather."
    surroundings = (forecast.tenant, forecast.session_id, forecast.turn_id, forecast.timeout_s)
    assert surroundings == ("default", talk.session_id, turn.turn_id, 5.0)


async def test_tools_by_type_stand_for_those_of_the_rfc(served: Served, around: Played) -> None:
    around.tools.add(custom("look"), server_id="files")
    around.tools.add(custom("write"), server_id="files")
    typed = [
        pb.AgentTool(code_interpreter=pb.CodeInterpreterTool(enable_inline_code_execution=False)),
        pb.AgentTool(function_call=pb.FunctionCallTool(function_name="forecast", description="Weather.")),
        pb.AgentTool(mcp=pb.McpTool(server_id="files", allowed_tools=["look"])),
    ]
    around.model.answers = [asks(call(CODE)), asks(call(custom("look"))), says("done")]
    talk = await served.session(tools=config_pb2.AgentToolList(tools=typed))
    turn = ended(await talk.turn("hi"))
    names = [tool.tool_name for tool in around.model.requests[0].available_tools]
    assert names == [CODE, FORECAST, custom("look")]
    assert [one.tool_name for one in turn.output_message.tool_calls] == [CODE]
    assert texts(ended(await talk.turn(told(call(CODE), "2")))) == ["look says so"]


async def test_a_system_with_an_mcp_server_that_is_not_there_is_not_made(served: Served) -> None:
    missing = config_pb2.AgentToolList(tools=[pb.AgentTool(mcp=pb.McpTool(server_id="none"))])
    instance = config_pb2.AgenticSystemInstanceConfig(instructions="", tools=missing)
    request = config_pb2.AgenticSystemCreateRequest(model="llama", instance_config=instance)
    assert type(await refused(served.stub.CreateAgenticSystem(request))) is ResourceNotFound


async def test_the_model_does_not_hear_of_a_tool_that_can_not_run(served: Served, around: Played) -> None:
    around.tools.add(SEARCH, unavailable_reason="it has no key")
    around.tools.add(FORECAST)
    around.model.answers = [asks(call(SEARCH)), says("done")]
    talk = await served.session(available_tools=tools(SEARCH, FORECAST))
    await talk.turn("hi")
    assert [tool.tool_name for tool in around.model.requests[0].available_tools] == [FORECAST]
    # the runner tells why when it is called all the same
    assert [ran.tool_name for ran, _ in around.tools.ran] == [SEARCH]


async def test_what_a_tool_writes_while_it_runs_is_sent(served: Served, around: Played) -> None:
    async def writing(made: ToolCall, context: ToolContext) -> ToolResult:
        assert context.progress is not None
        await context.progress("half")
        return await answering("whole")(made, context)

    around.tools.add(SEARCH, writing)
    around.model.answers = [asks(call(SEARCH)), says("done")]
    talk = await served.session(available_tools=tools(SEARCH))
    assert "+half" in shape(await talk.turn("hi"))


async def test_files_that_tools_make_are_the_turns(served: Served, around: Played) -> None:
    async def plot(made: ToolCall, context: ToolContext) -> ToolResult:
        content = Content(attachment=PNG)
        return ToolResult(ToolResponse(call_id=made.call_id, tool_name=made.tool_name, content=content), (PNG,))

    around.tools.add(CODE, plot)
    around.model.answers = [asks(call(CODE)), says("See the plot.")]
    talk = await served.session(available_tools=tools(CODE))
    turn = ended(await talk.turn("plot"))
    assert list(turn.output_attachments) == [PNG]
    assert turn == await talk.get(turn.turn_id)
    assert turn.steps[1].tool_execution.tool_responses[0].content == Content(attachment=PNG)
    assert around.model.prompts()[1][-1] == "ipython: [file of type image/png, shown to the user]"


async def test_a_call_that_needs_approval_waits_for_it(served: Served, around: Played) -> None:
    around.tools.add(SEARCH)
    around.model.answers = [asks(call(SEARCH)), says("done")]
    talk = await served.session(available_tools=tools(asking()))
    stream = asyncio.ensure_future(talk.turn("hi", turn_id="mine"))
    last = await talk.stub.CreateTurn(talk.request("hi", turn_id="mine"))
    assert list(last.event.payload.approval_required.tool_calls) == [call(SEARCH)]
    waiting = await talk.get("mine")
    assert (waiting.status, list(waiting.pending_approvals)) == (
        turn_pb2.TURN_STATUS_AWAITING_APPROVAL,
        [call(SEARCH)],
    )
    assert around.tools.ran == []
    assert await talk.stub.ResumeTurn(talk.resume("mine")) == last
    assert type(await refused(talk.stub.CreateTurn(talk.request("more")))) is ResourceBusy
    assert (await talk.decide("mine", "one", approve=True)).status == turn_pb2.TURN_STATUS_RUNNING
    assert shape(await stream) == [
        "turn_start",
        "start inference",
        "call",
        "call",
        "complete inference",
        "approval_required",
        "start tool_execution",
        "complete tool_execution",
        "start inference",
        "+done",
        "complete inference",
        "turn_complete",
    ]
    assert await talk.resumed("mine") == await stream
    assert (await talk.decide("mine", "one", approve=True)).status == turn_pb2.TURN_STATUS_COMPLETED
    assert type(await refused(talk.decide("mine", "one", approve=False))) is WrongState
    assert type(await refused(talk.decide("mine", "two", approve=False))) is ResourceNotFound


async def test_a_call_that_a_person_rejects_does_not_run(served: Served, around: Played) -> None:
    around.tools.add(SEARCH)
    around.tools.add(FORECAST)
    around.model.answers = [asks(call(SEARCH, "a"), call(FORECAST, "b"), call(SEARCH, "c")), says("done")]
    talk = await served.session(available_tools=tools(asking(), FORECAST))
    await talk.stub.CreateTurn(talk.request("hi", turn_id="mine"))
    first = await talk.decide("mine", "a", approve=False, reason="too dear")
    assert [one.call_id for one in first.pending_approvals] == ["c"]
    assert (await talk.decide("mine", "a", approve=False)).pending_approvals == first.pending_approvals
    await talk.decide("mine", "c", approve=True)
    turn = ended(await talk.resumed("mine"))
    assert texts(turn) == [
        "A person did not allow this call: too dear",
        "forecast says so",
        "brave_search says so",
    ]
    assert sorted(ran.call_id for ran, _ in around.tools.ran) == ["b", "c"]


async def test_a_turn_that_waits_for_approval_can_be_cancelled(served: Served, around: Played) -> None:
    around.tools.add(SEARCH, requires_approval=True)
    around.model.answers = [asks(call(SEARCH)), says("next")]
    talk = await served.session(available_tools=tools(SEARCH))
    await talk.stub.CreateTurn(talk.request("hi", turn_id="mine"))
    assert (await talk.cancel("mine")).status == turn_pb2.TURN_STATUS_CANCELLED
    assert type(await refused(talk.decide("mine", "one", approve=True))) is WrongState
    assert ended(await talk.turn("again")).output_message.content.text == "next"


def asking() -> pb.AgenticSystemToolDefinition:
    """Return a search whose every call a person has to allow."""
    return pb.AgenticSystemToolDefinition(tool_name=SEARCH, requires_approval=True)
