"""What a turn comes to when the service stops in it and another process goes on; kills are in ``test_faults``."""

from __future__ import annotations

import asyncio
from pathlib import Path

from llamastack.agents.v1 import turn_pb2
from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponseStreamChunk as Chunk
from llamastack.common.v1.tool_pb2 import ToolCall
from services.agents.execution import UNCERTAIN
from services.agents.tooling import ToolContext, ToolResult
from tests.integration.agents.scripted import SEARCH, answering, asks, call, custom, says
from tests.integration.agents.serving import Played, Served, Talk, ended, serving, shape, tools, until

COUNT = custom("count")


def moved(talk: Talk, to: Served) -> Talk:
    """Return a session as another process serves it."""
    return Talk(to.stub, talk.system_id, talk.session_id)


async def watched(talk: Talk, seen: list[Chunk]) -> None:
    """Run a turn and keep its events as they come."""
    async for chunk in talk.stub.StreamCreateTurn(talk.request("hi", turn_id="mine")):
        seen.append(chunk)


async def test_an_approval_survives_restarts(tmp_path: Path) -> None:
    url, around = f"sqlite:///{tmp_path}/agents.db", Played()
    around.tools.add(SEARCH, requires_approval=True)
    around.model.answers = [asks(call(SEARCH)), says("done")]
    async with serving(around, url) as first:
        talk = await first.session(available_tools=tools(SEARCH))
        last = await talk.stub.CreateTurn(talk.request("hi", turn_id="mine"))
    async with serving(around, url) as second:
        talk = moved(talk, second)
        assert await talk.stub.ResumeTurn(talk.resume("mine")) == last
        assert (await talk.get("mine")).status == turn_pb2.TURN_STATUS_AWAITING_APPROVAL
        await talk.decide("mine", "one", approve=True)
        assert shape(await talk.resumed("mine", last.sequence))[-1] == "turn_complete"
    assert len(around.model.requests) == 2


async def test_a_step_that_was_begun_is_begun_anew_and_none_that_is_done(tmp_path: Path) -> None:
    url, around = f"sqlite:///{tmp_path}/agents.db", Played()
    around.tools.add(SEARCH, idempotent=True)
    around.model.answers = [asks(call(SEARCH)), says("half", wait=asyncio.Event()), says("whole")]
    async with serving(around, url) as first:
        talk = await first.session(available_tools=tools(SEARCH))
        seen: list[Chunk] = []
        stream = asyncio.ensure_future(watched(talk, seen))
        await until(lambda: "+half" in shape(seen))
    await asyncio.gather(stream, return_exceptions=True)
    async with serving(around, url) as second:
        talk = moved(talk, second)
        events = await talk.resumed("mine")
        turn = ended(events)
    # the text that was sent counts for nothing: its step has no end
    assert shape(events)[-4:] == ["start inference", "+whole", "complete inference", "turn_complete"]
    assert shape(events).count("start inference") == 3
    assert events[: len(seen)] == seen
    assert [chunk.sequence for chunk in events] == [*range(1, len(events) + 1)]
    assert turn.output_message.content.text == "whole"
    assert len(around.tools.ran) == 1


async def test_a_call_that_may_have_had_effects_is_not_repeated_but_an_idempotent_one_is(tmp_path: Path) -> None:
    url, around = f"sqlite:///{tmp_path}/agents.db", Played()

    async def hanging(made: ToolCall, context: ToolContext) -> ToolResult:
        await asyncio.Event().wait()
        raise AssertionError

    around.tools.add(COUNT, hanging)
    around.tools.add(SEARCH, hanging, idempotent=True)
    around.model.answers = [asks(call(COUNT, "a"), call(SEARCH, "b")), says("done")]
    async with serving(around, url) as first:
        talk = await first.session(available_tools=tools(COUNT, SEARCH))
        stream = asyncio.ensure_future(talk.turn("hi", turn_id="mine"))
        await until(lambda: len(around.tools.ran) == 2)
    await asyncio.gather(stream, return_exceptions=True)
    around.tools.add(COUNT)
    around.tools.add(SEARCH, answering("found"), idempotent=True)
    async with serving(around, url) as second:
        turn = ended(await moved(talk, second).resumed("mine"))
    (execution,) = [step.tool_execution for step in turn.steps if step.HasField("tool_execution")]
    assert [response.content.text for response in execution.tool_responses] == [UNCERTAIN, "found"]
    assert sorted(made.call_id for made, _ in around.tools.ran) == ["a", "b", "b"]
