"""Two replicas over one database: what is asked of the one that does not run a turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llamastack.agents.v1 import turn_pb2
from llamastack.common.v1.tool_pb2 import ToolCall
from mesh.errors import Cancelled, ResourceBusy
from services.agents.config import TurnConfig
from services.agents.tooling import ToolContext, ToolResult
from tests.integration.agents.scripted import SEARCH, asks, call, says
from tests.integration.agents.serving import Played, Served, Talk, ended, refused, serving, shape, tools, until

LEASE_S = 6.0
"""A third of it is what a replica takes to hear that another one cancelled its turn."""


@asynccontextmanager
async def replicas(url: str) -> AsyncIterator[tuple[Served, Served]]:
    """Serve twice over a database, each with a model and tools of its own; being slow, neither counts as dead."""
    first, second = (Played(turns=TurnConfig(lease_s=LEASE_S, poll_s=0.02)) for _ in range(2))
    async with serving(first, url) as one, serving(second, url) as other:
        yield one, other


def at(talk: Talk, replica: Served) -> Talk:
    """Return a session as a replica serves it."""
    return Talk(replica.stub, talk.system_id, talk.session_id)


async def test_a_turn_is_followed_and_cancelled_from_another_replica(postgres_url: str) -> None:
    ended_early = asyncio.Event()

    async def hanging(made: ToolCall, context: ToolContext) -> ToolResult:
        try:
            await asyncio.Event().wait()
        finally:
            ended_early.set()
        raise AssertionError

    async with replicas(postgres_url) as (first, second):
        first.around.tools.add(SEARCH, hanging)
        first.around.model.answers = [asks(call(SEARCH))]
        talk = await first.session(available_tools=tools(SEARCH))
        stream = asyncio.ensure_future(refused(talk.stub.StreamCreateTurn(talk.request("hi", turn_id="mine"))))
        await until(lambda: bool(first.around.tools.ran))
        elsewhere = at(talk, second)
        error = await refused(elsewhere.stub.CreateTurn(elsewhere.request("me too")))
        assert (type(error), error.retry_after_s) == (ResourceBusy, 1.0)
        following = asyncio.ensure_future(refused(elsewhere.stub.StreamResumeTurn(elsewhere.resume("mine"))))
        turn = await elsewhere.cancel("mine")
        assert turn.status == turn_pb2.TURN_STATUS_CANCELLED
        # the tool is ended where it runs
        async with asyncio.timeout(10):
            await ended_early.wait()
        assert [type(await one) for one in (stream, following)] == [Cancelled, Cancelled]
        assert await talk.get("mine") == turn


async def test_a_call_is_approved_at_another_replica_and_runs_once(postgres_url: str) -> None:
    async with replicas(postgres_url) as (first, second):
        for replica in (first, second):
            replica.around.tools.add(SEARCH, requires_approval=True)
            replica.around.model.answers = [says("done")]
        first.around.model.answers.insert(0, asks(call(SEARCH)))
        talk = await first.session(available_tools=tools(SEARCH))
        last = await talk.stub.CreateTurn(talk.request("hi", turn_id="mine"))
        await at(talk, second).decide("mine", "one", approve=True)
        later = await talk.resumed("mine", last.sequence)
        assert later == await at(talk, second).resumed("mine", last.sequence)
    assert shape(later)[-1] == "turn_complete"
    assert ended(later).output_message.content.text == "done"
    assert len(first.around.tools.ran) + len(second.around.tools.ran) == 1
