"""Many sessions for a long time: whether the agents service keeps its memory, and every turn comes to an end.

Each session has one turn after the other and is deleted after some. One turn in ten is left by its client in the middle
and gone on with, one in ten is left for good, one in ten is cancelled, and in one of ten the model fails. It is counted
how each ended: complete, or with an error that names its reason; anything else is a failure of the service. Beside
that, the memory of the service is looked at all the time; and what is open in it, its objects of Python and its files,
once all have paused after the warm-up and again at the end.

Usage: ``python bench/soak.py [--sessions 200] [--seconds 600] [--pause 2] [--database URL]``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, Final

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

import grpc
import grpc.aio

from bench.agents import INFERENCE_S, TOOL_S, WAIT, free_address, process
from llamastack.agents.v1 import config_pb2, session_pb2, tool_pb2, turn_pb2
from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceStub
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.error_pb2 import ErrorReason
from llamastack.common.v1.message_pb2 import UserMessage
from mesh.client import Client, ClientConfig
from mesh.errors import Internal, ResourceBusy, from_rpc

TURNS_IN_SESSION: Final = 8
"""Turns of a session before it is deleted and a new one made."""

WAYS: Final = ("whole", "resumed", "whole", "left", "whole", "cancelled", "whole", "broken", "whole", "whole")
"""How one turn after the other goes."""

GROWTH: Final = 1.05
"""Memory in the end against that after the warm-up, at most."""

KEPT: Final = 1.01
"""Objects of Python in the end against those after the warm-up, at most."""

TASKS: Final = 2
"""Tasks that may be more: the channel to the model stays open."""

FILES: Final = 16
"""Files that may be more after the warm-up: a pool of eight connections fills late, and SQLite opens two for each."""

WARM: Final = 0.2
"""The part of the time in which caches fill."""

LEVELS: Final = "▁▂▃▄▅▆▇█"
COLUMNS: Final = 60


@dataclass
class Watched:
    """A process, with its memory in MiB over the time in seconds."""

    running: subprocess.Popen[bytes]
    memory: list[tuple[float, float]] = field(default_factory=list)

    def look(self, now: float) -> None:
        """Note its memory."""
        lines = Path(f"/proc/{self.running.pid}/status").read_text().splitlines()
        resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
        self.memory.append((now, resident / 1024))

    def files(self) -> int:
        """Return the number of its open files and sockets."""
        return len(os.listdir(f"/proc/{self.running.pid}/fd"))

    def open(self) -> Any:
        """Return what it says is open in it."""
        self.running.send_signal(signal.SIGUSR1)
        assert self.running.stdout is not None
        return json.loads(self.running.stdout.readline())

    def between(self, begin: float, end: float) -> float:
        """Return its usual memory in a part of the time."""
        last = self.memory[-1][0]
        return median(size for now, size in self.memory if begin * last <= now <= end * last)


class Session:
    """A client that has one session after the other."""

    def __init__(self, stub: Any, system_id: str, number: int, outcomes: Counter[str]) -> None:
        self._stub = stub
        self._system_id = system_id
        self._session_id = ""
        self._turns = count(number)
        self._outcomes = outcomes

    async def run(self, deadline: float, pause: float) -> None:
        """Have turns until a time; wait between them."""
        while time.monotonic() < deadline:
            await self._renew()
            for _ in range(TURNS_IN_SESSION):
                if time.monotonic() >= deadline:
                    break
                self._outcomes[await self._turn()] += 1
                await asyncio.sleep(pause)

    async def under_way(self) -> int:
        """Return how many turns of the session are not over."""
        running = turn_pb2.ListTurnsRequest(
            agent_id=self._system_id, session_id=self._session_id, status=turn_pb2.TURN_STATUS_RUNNING
        )
        return len((await self._stub.ListTurns(running)).turns)

    async def _renew(self) -> None:
        if self._session_id:
            gone = session_pb2.DeleteSessionRequest(agent_id=self._system_id, session_id=self._session_id)
            await self._stub.DeleteSession(gone)
        made = session_pb2.AgenticSystemSessionCreateRequest(system_id=self._system_id, session_name="soak")
        self._session_id = (await self._stub.CreateSession(made)).session_id

    async def _turn(self) -> str:
        """Have one turn and return how it went and how it ended."""
        number = next(self._turns)
        way = WAYS[number % len(WAYS)]
        said = UserMessage(content=Content(text="break" if way == "broken" else "How are things?"))
        request = turn_pb2.AgenticSystemTurnCreateRequest(
            system_id=self._system_id,
            session_id=self._session_id,
            messages=[turn_pb2.TurnInputMessage(user=said)],
            turn_id=f"{id(self)}-{number}",
        )
        try:
            return f"{way}: {await self._ended(way, request)}"
        except grpc.aio.AioRpcError as error:
            told = from_rpc(error)
            # an error without a reason of its own reads as one inside
            if isinstance(told, Internal):
                return f"{way}: FAILED {error.code().name} {error.details()}"
            return f"{way}: {error.code().name} {ErrorReason.Name(told.reason).removeprefix('ERROR_REASON_')}"

    async def _ended(self, way: str, request: turn_pb2.AgenticSystemTurnCreateRequest) -> str:
        stream, seen = await self._begun(request), 0
        async for chunk in stream:
            if chunk.sequence != seen + 1:
                return "FAILED an event is missing or came twice"
            seen = chunk.sequence
            if chunk.event.payload.HasField("turn_complete"):
                return "complete"
            if chunk.event.payload.HasField("step_complete"):
                if way == "left":
                    stream.cancel()
                    return "nobody looked"
                if way == "resumed":
                    stream.cancel()
                    return await self._resumed(request.turn_id, seen)
                if way == "cancelled":
                    asked = turn_pb2.CancelTurnRequest(agent_id=self._system_id, turn_id=request.turn_id)
                    await self._stub.CancelTurn(asked)
        return "FAILED the stream ended in the middle"

    async def _begun(self, request: turn_pb2.AgenticSystemTurnCreateRequest) -> Any:
        """Return the stream of a turn; one that somebody left is waited for as the service says."""
        while True:
            stream = self._stub.StreamCreateTurn(request)
            try:
                await stream.wait_for_connection()
            except grpc.aio.AioRpcError as error:
                told = from_rpc(error)
                if not isinstance(told, ResourceBusy):
                    raise
                self._outcomes["waited for the turn before"] += 1
                await asyncio.sleep(told.retry_after_s or 1.0)
            else:
                return stream

    async def _resumed(self, turn_id: str, seen: int) -> str:
        asked = turn_pb2.ResumeTurnRequest(agent_id=self._system_id, turn_id=turn_id, after_sequence=seen)
        async for chunk in self._stub.StreamResumeTurn(asked):
            if chunk.sequence != seen + 1:
                return "FAILED an event is missing or came twice"
            seen = chunk.sequence
            if chunk.event.payload.HasField("turn_complete"):
                return "complete"
        return "FAILED the stream ended in the middle"


@dataclass(frozen=True)
class Rest:
    """What is open while nobody asks for anything: in the service, as calls at the model, as files."""

    inside: dict[str, int]
    calls: int
    files: int

    def __str__(self) -> str:
        return f"{self.inside['objects']} objects, {self.inside['tasks']} tasks, {self.files} files"


@dataclass
class Course:
    """How it went: how turns ended, how many never did, what was open after the warm-up and in the end."""

    outcomes: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    rests: list[Rest] = field(default_factory=list)


async def soak(address: str, service: Watched, model: Watched, options: argparse.Namespace) -> Course:
    """Have the sessions."""
    course = Course()
    async with Client(ClientConfig()) as client:
        stub: Any = AgenticSystemServiceStub(client.channel(address))
        tool = tool_pb2.AgenticSystemToolDefinition(tool_name=WAIT)
        config = config_pb2.AgenticSystemInstanceConfig(
            instructions="", available_tools=config_pb2.ToolDefinitionList(tools=[tool])
        )
        create = config_pb2.AgenticSystemCreateRequest(model="model", instance_config=config)
        system_id = (await stub.CreateAgenticSystem(create)).system_id
        sessions = [Session(stub, system_id, number, course.outcomes) for number in range(options.sessions)]
        began = time.monotonic()
        watching = asyncio.create_task(watch(service, began))
        try:
            for part in (WARM, 1.0):
                deadline = began + part * options.seconds
                await asyncio.gather(*(session.run(deadline, options.pause) for session in sessions))
                # what nobody looked at needs no longer than a turn
                await asyncio.sleep(5 * (2 * INFERENCE_S + TOOL_S))
                course.rests.append(await asyncio.to_thread(settled, service, model))
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        course.under_way = sum(await asyncio.gather(*(session.under_way() for session in sessions)))
        return course


async def watch(service: Watched, began: float) -> None:
    """Look at a process again and again."""
    while True:
        service.look(time.monotonic() - began)
        await asyncio.sleep(1)


def chart(memory: list[tuple[float, float]]) -> str:
    """Return sizes over time as a line of bars, the lowest at the smallest size."""
    sizes = [size for _, size in memory]
    least, most = min(sizes), max(sizes)
    step = max(1, len(sizes) // COLUMNS)
    means = [median(sizes[place : place + step]) for place in range(0, len(sizes), step)]
    height = (most - least) or 1.0
    return "".join(LEVELS[int((size - least) / height * (len(LEVELS) - 1))] for size in means)


def settled(service: Watched, model: Watched) -> Rest:
    """Return what is open when nothing is under way or ten seconds have passed."""
    until = time.monotonic() + 10
    while True:
        inside, calls = service.open(), model.open()
        if (not inside["calls"] and not inside["turns"] and not calls) or time.monotonic() > until:
            return Rest(inside, calls, service.files())
        time.sleep(0.2)


def report(outcomes: Counter[str], service: Watched, seconds: float) -> bool:
    """Print how turns ended and how memory went; return whether both are as they should be."""
    turns = sum(number for outcome, number in outcomes.items() if ": " in outcome)
    print(f"{turns} turns, {turns / seconds:.0f} a second")
    for outcome, number in sorted(outcomes.items()):
        print(f"  {number:7} {outcome}")
    sizes = [size for _, size in service.memory]
    print(f"memory of the service, MiB, from {min(sizes):.0f} to {max(sizes):.0f}:")
    print(f"  {chart(service.memory)}")
    marks = [service.between(part / 10, (part + 1) / 10) for part in range(10)]
    print("  each tenth of the time:", " ".join(f"{size:.1f}" for size in marks))
    warm, last = service.between(WARM, WARM + 0.1), service.between(0.9, 1.0)
    print(f"  after the warm-up {warm:.1f}, in the end {last:.1f}: {last / warm:.3f} of it, bar {GROWTH}")
    return last <= warm * GROWTH and not any("FAILED" in outcome for outcome in outcomes)


def main() -> int:
    """Return 1 when something was lost, leaked or not told."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--pause", type=float, default=2.0)
    parser.add_argument("--database", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        address, answering = free_address(), free_address()
        database = options.database or f"sqlite:///{folder}/agents.db"
        with (
            process("bench.agent_turns.model", answering, str(INFERENCE_S)) as peer,
            process("bench.agent_turns.service", address, database, answering, str(TOOL_S)) as running,
        ):
            service, model = Watched(running), Watched(peer)
            before = Rest(service.open(), 0, service.files())
            course = asyncio.run(soak(address, service, model, options))
            well = report(course.outcomes, service, options.seconds)
    clean = closed(before, course)
    print("memory flat, nothing lost, nothing left open" if well and clean else "MISSED")
    return int(not (well and clean))


def closed(before: Rest, course: Course) -> bool:
    """Print what was open; return whether nothing is left, and nothing has become more since the warm-up."""
    warm, last = course.rests
    print(f"open in the service before: {before}; after the warm-up: {warm}; in the end: {last}")
    print(f"calls open at the model: {last.calls}; turns that never ended: {course.under_way}")
    left = last.inside["calls"] or last.inside["turns"] or last.calls or course.under_way
    flat = last.files <= warm.files + FILES and last.inside["tasks"] <= before.inside["tasks"] + TASKS
    return not left and flat and last.inside["objects"] <= warm.inside["objects"] * KEPT


if __name__ == "__main__":
    sys.exit(main())
