"""What a turn comes to when the service stops in it and another process goes on; kills at random are elsewhere."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from llamastack.agents.v1 import turn_pb2
from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceStub
from llamastack.agents.v1.config_pb2 import ShieldList
from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponseStreamChunk as Chunk
from llamastack.agents.v1.tool_pb2 import AgenticSystemToolDefinition
from llamastack.common.v1.tool_pb2 import ToolCall
from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from mesh.client import Client, ClientConfig
from mesh.errors import Cancelled
from mesh.testing import mesh_of
from services.agents.execution import UNCERTAIN
from services.agents.tooling import ToolContext, ToolResult
from tests.integration.agents.fleet import Fleet
from tests.integration.agents.scripted import SEARCH, answering, asks, call, custom, says
from tests.integration.agents.serving import (
    Played,
    Served,
    Talk,
    begun,
    ended,
    opened,
    refused,
    serving,
    shape,
    shield,
    tools,
    until,
)
from tests.integration.agents.test_faults import Counting

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


async def test_what_is_done_when_the_service_stops_is_written_though_the_database_was_busy(tmp_path: Path) -> None:
    url, around = f"sqlite:///{tmp_path}/agents.db", Played()
    around.tools.add(SEARCH, idempotent=True)
    asked, begun_anew = asyncio.Event(), asyncio.Event()
    around.model.answers = [
        asks(call(SEARCH), wait=asked),
        says(wait=asyncio.Event(), began=begun_anew),
        says("whole"),
    ]
    async with serving(around, url) as first:
        talk = await first.session(available_tools=tools(SEARCH))
        stream = asyncio.ensure_future(watched(talk, []))
        await until(lambda: bool(around.model.requests))
        with sqlite3.connect(tmp_path / "agents.db", isolation_level=None) as busy:
            busy.execute("BEGIN IMMEDIATE")
            asked.set()
            await begun_anew.wait()
        busy.close()
    await asyncio.gather(stream, return_exceptions=True)
    async with serving(around, url) as second:
        turn = ended(await moved(talk, second).resumed("mine"))
    assert turn.output_message.content.text == "whole"
    assert len(around.tools.ran) == 1


async def test_an_answer_that_no_shield_had_judged_is_asked_for_anew(tmp_path: Path) -> None:
    url, around = f"sqlite:///{tmp_path}/agents.db", Played()
    around.tools.add(SEARCH, idempotent=True)
    around.model.answers = [asks(call(SEARCH)), says("lost"), says("kept")]
    around.shields.gate = asyncio.Event()
    guarding = ShieldList(shields=[shield("bad")])
    async with serving(around, url) as first:
        talk = await first.session(available_tools=tools(SEARCH), output_shields=guarding)
        seen: list[Chunk] = []
        stream = asyncio.ensure_future(watched(talk, seen))
        await until(lambda: bool(around.shields.asked))
    await asyncio.gather(stream, return_exceptions=True)
    around.shields.gate = None
    async with serving(around, url) as second:
        events = await moved(talk, second).resumed("mine")
    assert events[: len(seen)] == seen
    # nobody ever saw the first one, and the steps before it are not made again
    assert [text for text in shape(events) if text.startswith("+")] == ["+kept"]
    assert (len(around.tools.ran), len(around.model.requests)) == (1, 3)


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


async def test_turns_that_wait_for_a_person_survive_the_kill_of_their_process(tmp_path: Path) -> None:
    counted = tmp_path / "counted"
    counted.touch()
    asking = AgenticSystemToolDefinition(tool_name=COUNT, requires_approval=True)
    async with mesh_of({add_InferenceServiceServicer_to_server: Counting()}) as model:
        fleet = Fleet(f"sqlite:///{tmp_path}/agents.db", model.address, counted)
        try:
            await fleet.start(1)
            ((address, process),) = fleet.running.items()
            async with Client(ClientConfig()) as client:
                stub = AgenticSystemServiceStub(client.channel(address))
                talk = await begun(stub, available_tools=tools(asking))
                other = await opened(stub, talk.system_id)
                last = await talk.stub.CreateTurn(talk.request("mine", turn_id="mine"))
                await other.stub.CreateTurn(other.request("other", turn_id="other"))
                before = await talk.get("mine")
            await fleet.prepare()
            await fleet.replace(await fleet.kill(process.pid))
            async with Client(ClientConfig()) as client:
                stub = AgenticSystemServiceStub(client.channel(address))
                talk = Talk(stub, talk.system_id, talk.session_id)
                other = Talk(stub, other.system_id, other.session_id)
                # listed and inspected as before
                listed = await talk.listed(turn_pb2.TURN_STATUS_AWAITING_APPROVAL)
                assert (listed, await talk.get("mine")) == ([before], before)
                assert [made.call_id for made in before.pending_approvals] == ["mine-0"]
                # cancelled, which leaves the other one as it is
                assert (await other.cancel("other")).status == turn_pb2.TURN_STATUS_CANCELLED
                assert isinstance(await refused(other.stub.StreamResumeTurn(other.resume("other"))), Cancelled)
                # allowed one after the other, and each runs once
                for number in range(3):
                    await talk.decide("mine", f"mine-{number}", approve=True)
                    last = await talk.stub.ResumeTurn(talk.resume("mine", last.sequence))
                turn = last.event.payload.turn_complete.turn
                assert turn.output_message.content.text == "all is counted."
        finally:
            await fleet.stop()
    assert counted.read_text().split() == ["mine-0", "mine-1", "mine-2"]
