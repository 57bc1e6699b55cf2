"""What a turn of three steps (inference, tool, inference) costs besides its inferences and its tool.

The model and the tool take a known time. The peer in the same run is a client that makes the two inferences and waits
for the tool by itself, without the service and without a database; the overhead is what a turn takes beyond that,
commits included. Sessions have one turn after the other for a fixed time: a session that had far fewer turns
than another one starved.

Usage: ``python bench/agents.py [--seconds 5] [--sessions 1,16,64] [--database URL]``; the default is a SQLite file.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from socket import socket
from statistics import quantiles
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from llamastack.agents.v1 import config_pb2, session_pb2, tool_pb2, turn_pb2
from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceStub
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import Message, ToolResponseMessage, UserMessage
from llamastack.common.v1.tool_pb2 import ToolName
from llamastack.inference.v1.inference_pb2 import ChatCompletionRequest
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from mesh.client import Client, ClientConfig

INFERENCE_S = 0.05
TOOL_S = 0.02
KNOWN_S = 2 * INFERENCE_S + TOOL_S
BAR_MS = 10.0
STARVED = 2
"""How many times the turns of another one a session may have had without that one having starved."""

WAIT = ToolName(custom="wait")
ASKED = UserMessage(content=Content(text="How are things?"))

# prompts grow with their sessions; what is measured is a turn, not a long conversation
TURNS_IN_SESSION = 8

Step = Callable[[], Awaitable[float]]


@dataclass(frozen=True)
class Figures:
    """Milliseconds beyond the known times, turns per second, and the fewest and most turns of a session."""

    p50: float
    p99: float
    rate: float
    fewest: int
    most: int


async def load(steps: list[Step], seconds: float) -> Figures:
    """Have each session take its step again and again for a time."""
    took: list[list[float]] = [[] for _ in steps]
    deadline = time.perf_counter() + seconds

    async def session(step: Step, mine: list[float]) -> None:
        while time.perf_counter() < deadline:
            mine.append(await step())

    await asyncio.gather(*map(session, steps, took))
    everything = sorted(one for mine in took for one in mine)
    cuts = quantiles([(one - KNOWN_S) * 1e3 for one in everything], n=100)
    counts = [len(mine) for mine in took]
    return Figures(cuts[49], cuts[98], len(everything) / seconds, min(counts), max(counts))


async def talk(stub: Any) -> Step:
    """Return the next turn of a session, which begins anew after some turns; a step gives the seconds that it took."""
    tool = tool_pb2.AgenticSystemToolDefinition(tool_name=WAIT)
    config = config_pb2.AgenticSystemInstanceConfig(
        instructions="", available_tools=config_pb2.ToolDefinitionList(tools=[tool])
    )
    create = config_pb2.AgenticSystemCreateRequest(model="model", instance_config=config)
    system_id = (await stub.CreateAgenticSystem(create)).system_id
    ask = session_pb2.AgenticSystemSessionCreateRequest(system_id=system_id, session_name="bench")
    messages = [turn_pb2.TurnInputMessage(user=ASKED)]
    turns, session_id = count(), ""

    async def turn() -> float:
        nonlocal session_id
        if next(turns) % TURNS_IN_SESSION == 0:
            session_id = (await stub.CreateSession(ask)).session_id
        request = turn_pb2.AgenticSystemTurnCreateRequest(system_id=system_id, session_id=session_id, messages=messages)
        began = time.perf_counter()
        async for event in stub.StreamCreateTurn(request):
            last = event
        took = time.perf_counter() - began
        assert len(last.event.payload.turn_complete.turn.steps) == 3
        return took

    return turn


def alone(stub: Any) -> Step:
    """Return the same work without the service."""

    async def turn() -> float:
        began = time.perf_counter()
        messages = [Message(user=ASKED)]
        async for _ in stub.StreamChatCompletion(ChatCompletionRequest(model="model", messages=messages)):
            pass
        await asyncio.sleep(TOOL_S)
        told = ToolResponseMessage(call_id="one", tool_name=WAIT, content=Content(text="waited"))
        messages.append(Message(tool_response=told))
        async for _ in stub.StreamChatCompletion(ChatCompletionRequest(model="model", messages=messages)):
            pass
        return time.perf_counter() - began

    return turn


@contextmanager
def process(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module for the time of the block, from when it serves; yield it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen")])}
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=ROOT) as running:
        try:
            assert running.stdout is not None
            if running.stdout.readline().strip() != b"serving":
                raise SystemExit(f"{module} did not start")
            yield running
        finally:
            running.kill()


def free_address() -> str:
    """Return an address on loopback that nobody listens on."""
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


async def measure(service: str, model: str, sessions: int, seconds: float) -> tuple[Figures, Figures]:
    """Return the figures of the peer and of the service."""
    async with Client(ClientConfig()) as client:
        direct = InferenceServiceStub(client.channel(model))
        peer = await load([alone(direct) for _ in range(sessions)], seconds)
        stub = AgenticSystemServiceStub(client.channel(service))
        turns = [await talk(stub) for _ in range(sessions)]
        await asyncio.gather(*(turn() for turn in turns))
        return peer, await load(turns, seconds)


def show(sessions: int, peer: Figures, ours: Figures) -> None:
    """Print one line."""
    print(
        f"{sessions:8} {peer.p50:9.2f} {peer.p99:9.2f} {ours.p50:9.2f} {ours.p99:9.2f} {ours.p50 - peer.p50:9.2f}"
        f" {ours.rate:8.1f} {ours.rate / peer.rate:7.2f} {ours.fewest:6}/{ours.most}",
        flush=True,
    )


def main() -> int:
    """Return 1 when the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--sessions", default="1,16,64")
    parser.add_argument("--database", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        service, model = free_address(), free_address()
        database = options.database or f"sqlite:///{folder}/agents.db"
        with (
            process("bench.agent_turns.model", model, str(INFERENCE_S)),
            process("bench.agent_turns.service", service, database, model, str(TOOL_S)),
        ):
            print(f"milliseconds beyond {KNOWN_S * 1e3:.0f} ms of inference and tool; peer: without service, database")
            print("sessions  peer p50  peer p99  ours p50  ours p99    beyond  turns/s   ratio  fewest/most turns")
            first, starved = None, False
            for number in map(int, options.sessions.split(",")):
                peer, ours = asyncio.run(measure(service, model, number, options.seconds))
                show(number, peer, ours)
                starved = starved or ours.fewest * STARVED < ours.most
                first = first or (ours.p50 - peer.p50 if number == 1 else None)
    print("some session starved" if starved else "no session starved")
    if first is None:
        return int(starved)
    print(
        f"p50 at 1 session: {first:.2f} ms beyond the peer, bar {BAR_MS:.0f} ms:",
        "met" if first <= BAR_MS else "MISSED",
    )
    return int(first > BAR_MS or starved)


if __name__ == "__main__":
    sys.exit(main())
