"""Turns outlive the processes that run them; ``FAULT_ROUNDS`` says how many of these are killed for each database."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from sqlalchemy import select

from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceStub
from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponseStreamChunk as Chunk
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from mesh.client import Client, ClientConfig
from mesh.storage import Storage, StorageConfig
from mesh.testing import mesh_of
from services.agents.execution import UNCERTAIN
from services.agents.tables import TURNS
from tests.integration.agents.fleet import WAIT_S, Fleet
from tests.integration.agents.scripted import ScriptedInference, asks, call, custom, says
from tests.integration.agents.serving import Talk, begun, ended, tools

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "3"))
CALLS = 3
# events of a turn that nobody disturbs, less the last one
EVENTS = 25

pytestmark = pytest.mark.timeout(120 + 30 * ROUNDS)


class Counting(ScriptedInference):
    """A model that has a tool called three times in a turn and then says four words, whenever it is asked."""

    async def StreamChatCompletion(
        self, request: pb.ChatCompletionRequest, context: Any
    ) -> AsyncIterator[pb.ChatCompletionResponseStreamChunk]:
        opening = max(place for place, message in enumerate(request.messages) if message.HasField("user"))
        name = request.messages[opening].user.content.text
        done = sum(message.HasField("tool_response") for message in request.messages[opening:])
        answer = asks(call(custom("count"), f"{name}-{done}")) if done < CALLS else says("all", " is", " counted", ".")
        async for event in answer.events():
            await asyncio.sleep(0.005)
            yield pb.ChatCompletionResponseStreamChunk(event=event)


@dataclass
class Follower:
    """A client that goes on where it was whenever its stream breaks, with whoever answers."""

    fleet: Fleet
    client: Client
    system_id: str
    session_id: str
    seen: list[Chunk] = field(default_factory=list)

    async def follow(self, turn_id: str) -> AsyncIterator[Chunk]:
        """Yield the events of a new turn."""
        talk = self.talk()
        stream: Any = talk.stub.StreamCreateTurn(talk.request(turn_id, turn_id=turn_id))
        while True:
            try:
                async for chunk in stream:
                    self.seen.append(chunk)
                    yield chunk
                return
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            await asyncio.sleep(0.02)
            talk = self.talk()
            if self.seen:
                stream = talk.stub.StreamResumeTurn(talk.resume(turn_id, self.seen[-1].sequence))
            else:
                stream = talk.stub.StreamCreateTurn(talk.request(turn_id, turn_id=turn_id))

    def talk(self) -> Talk:
        """Return the session at one of the services that run."""
        address = random.choice([*self.fleet.running] or ["127.0.0.1:1"])
        return Talk(AgenticSystemServiceStub(self.client.channel(address)), self.system_id, self.session_id)


async def owner_of(storage: Storage, turn_id: str) -> int | None:
    """Return the process that runs a turn."""
    async with storage.reading() as session:
        owner = (await session.execute(select(TURNS.c.owner).where(TURNS.c.turn_id == turn_id))).scalar_one_or_none()
    # host, process, and the five parts of an id
    return None if owner is None else int(owner.split("-")[-6])


async def disturbed(fleet: Fleet, follower: Follower, storage: Storage, turn_id: str) -> bool:
    """Run a turn, kill its process somewhere in it, and return whether one was."""
    moment, killing = random.randint(1, EVENTS), None
    await fleet.prepare()
    async with asyncio.timeout(WAIT_S):
        async for _ in follower.follow(turn_id):
            if len(follower.seen) == moment:
                killing = asyncio.create_task(kill(fleet, storage, turn_id))
    return killing is not None and await killing


async def kill(fleet: Fleet, storage: Storage, turn_id: str) -> bool:
    """Kill the process that runs a turn and put another one in its place."""
    pid = await owner_of(storage, turn_id)
    if pid is None:
        return False
    await fleet.replace(await fleet.kill(pid))
    return True


async def survive(database: str, folder: Path, replicas: int) -> None:
    """Kill processes in the middle of turns, and see that nothing is lost, repeated or done twice."""
    counted = folder / "counted"
    counted.touch()
    killed = 0
    async with mesh_of({add_InferenceServiceServicer_to_server: Counting()}) as model:
        fleet, storage = Fleet(database, model.address, counted), None
        try:
            await fleet.start(replicas)
            storage = Storage(StorageConfig(url=database))
            async with Client(ClientConfig()) as client:
                first = AgenticSystemServiceStub(client.channel(next(iter(fleet.running))))
                talk = await begun(first, available_tools=tools(custom("count")))
                number = 0
                while killed < ROUNDS:
                    number += 1
                    assert number <= 3 * ROUNDS + 5, "hardly any process was killed"
                    follower = Follower(fleet, client, talk.system_id, talk.session_id)
                    killed += await disturbed(fleet, follower, storage, f"turn{number}")
                    await check(follower, f"turn{number}", counted)
        finally:
            await fleet.stop()
            if storage is not None:
                await storage.close()


async def check(follower: Follower, turn_id: str, counted: Path) -> None:
    """See that a client saw every event once and that no call ran twice."""
    seen = follower.seen
    assert [chunk.sequence for chunk in seen] == [*range(1, len(seen) + 1)]
    turn = ended(seen)
    assert turn.output_message.content.text == "all is counted."
    again = replace(follower, seen=[])
    assert [chunk async for chunk in again.follow(turn_id)] == seen
    lines = await asyncio.to_thread(counted.read_text)
    ran = Counter(line for line in lines.split() if line.startswith(f"{turn_id}-"))
    assert set(ran.values()) <= {1}
    said = {
        response.call_id: response.content.text
        for step in turn.steps
        for response in step.tool_execution.tool_responses
    }
    assert sorted(said) == [f"{turn_id}-{number}" for number in range(CALLS)]
    for call_id, text in said.items():
        assert text == UNCERTAIN or (text, ran[call_id]) == (f"counted {call_id}", 1)


async def test_no_turn_is_lost_when_the_one_process_over_sqlite_is_killed(tmp_path: Path) -> None:
    await survive(f"sqlite:///{tmp_path}/agents.db", tmp_path, replicas=1)


async def test_no_turn_is_lost_when_one_of_two_replicas_over_postgresql_is_killed(
    tmp_path: Path, postgres_url: str
) -> None:
    await survive(postgres_url, tmp_path, replicas=2)
