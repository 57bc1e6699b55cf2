"""Events of a turn over REST: a client whose connection breaks goes on after the last id that it saw."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from mesh.testing import mesh_of
from tests.integration.agents.fleet import WAIT_S, Fleet
from tests.integration.agents.test_faults import CALLS, EVENTS, Counting
from tests.ports import free_address

EVENT_STREAM = {"accept": "text/event-stream"}


async def start_gateway(listen: str, agents: str) -> Process:
    """Run a gateway and return when it listens."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "ALTIPLANO_GATEWAY_BIND": listen,
        "ALTIPLANO_GATEWAY_UPSTREAMS": f"agents={agents}",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway"), env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(WAIT_S), httpx.AsyncClient() as http:
        while True:
            try:
                await http.get(f"http://{listen}/healthz")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return process


async def kill(process: Process) -> None:
    """Kill a process and wait until it is gone."""
    process.send_signal(signal.SIGKILL)
    await process.wait()


@dataclass
class Stack:
    """A gateway process in front of an agents process, each of which can be killed and is then put up again."""

    fleet: Fleet
    listen: str = field(default_factory=free_address)
    gateway: Process | None = None

    async def start(self) -> None:
        """Put both up."""
        await self.fleet.start(1)
        (address,) = self.fleet.running
        self.gateway = await start_gateway(self.listen, address)

    async def lose_gateway(self) -> None:
        """Kill the gateway and put another one in its place."""
        assert self.gateway is not None
        await kill(self.gateway)
        (address,) = self.fleet.running
        self.gateway = await start_gateway(self.listen, address)

    async def lose_service(self) -> None:
        """Kill the service and put another one in its place."""
        await self.fleet.prepare()
        ((_, process),) = self.fleet.running.items()
        await self.fleet.replace(await self.fleet.kill(process.pid))

    async def stop(self) -> None:
        """End both."""
        if self.gateway is not None:
            await kill(self.gateway)
        await self.fleet.stop()


@asynccontextmanager
async def stack(folder: Path) -> AsyncIterator[tuple[Stack, httpx.AsyncClient]]:
    """Run both, with a model, for the time of the block; yield them with a client."""
    counted = folder / "counted"
    counted.touch()
    async with mesh_of({add_InferenceServiceServicer_to_server: Counting()}) as model:
        running = Stack(Fleet(f"sqlite:///{folder}/agents.db", model.address, counted))
        try:
            await running.start()
            async with httpx.AsyncClient(base_url=f"http://{running.listen}", timeout=WAIT_S) as http:
                yield running, http
        finally:
            await running.stop()


@dataclass
class Seen:
    """What came of a stream of events: their ids and what they hold."""

    ids: list[int] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)

    async def read(self, response: httpx.Response) -> AsyncIterator[int]:
        """Keep the events of a response; yield how many there are by now."""
        number = None
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                number = int(value)
            elif name == "data" and number is not None:
                self.ids.append(number)
                self.events.append(json.loads(value))
                number = None
                yield len(self.ids)

    @property
    def is_over(self) -> bool:
        """Whether the turn is complete."""
        return bool(self.events) and self.events[-1]["event"]["payload"]["event_type"] == "turn_complete"


async def begun(http: httpx.AsyncClient) -> dict[str, Any]:
    """Make a system and a session; return what a turn is asked for with."""
    config = {"instructions": "", "available_tools": [{"tool_name": "count"}]}
    made = await http.post("/agentic_system/create", json={"model": "llama", "instance_config": config})
    system_id = made.json()["system_id"]
    names = {"system_id": system_id, "session_name": "talk"}
    session = await http.post("/agentic_system/session/create", json=names)
    return {"system_id": system_id, "session_id": session.json()["session_id"]}


async def test_each_event_comes_once_whatever_breaks_between_client_and_turn(tmp_path: Path) -> None:
    async with stack(tmp_path) as (running, http):
        asked = await begun(http)
        breaks = {6: None, 11: running.lose_gateway, 17: running.lose_service}
        seen = Seen()
        turn = {**asked, "turn_id": "mine", "messages": [{"role": "user", "content": "mine"}], "stream": True}
        request = http.build_request("POST", "/agentic_system/turn/create", json=turn)
        async with asyncio.timeout(WAIT_S):
            while not seen.is_over:
                try:
                    response = await http.send(request, stream=True)
                    if response.status_code == 200:
                        async for number in seen.read(response):
                            if number in breaks:
                                if (lose := breaks.pop(number)) is not None:
                                    await lose()
                                break
                    await response.aclose()
                except httpx.TransportError:
                    await asyncio.sleep(0.02)
                params = {"agent_id": asked["system_id"], "turn_id": "mine"}
                last = {"last-event-id": f"{seen.ids[-1]}"} if seen.ids else {}
                request = http.build_request(
                    "GET", "/agentic_system/turn/resume", params=params, headers=EVENT_STREAM | last
                )
        again = Seen()
        whole = http.build_request("GET", "/agentic_system/turn/resume", params=params, headers=EVENT_STREAM)
        async for _ in again.read(await http.send(whole, stream=True)):
            pass
        assert breaks == {}
        assert seen.ids == [*range(1, len(seen.ids) + 1)]
        assert len(seen.ids) >= EVENTS
        assert again == seen
        ended = seen.events[-1]["event"]["payload"]["turn"]
        assert ended["output_message"]["content"] == "all is counted."
        # no call ran twice, though the process that ran them was killed
        ran = (tmp_path / "counted").read_text().split()
        assert len(ran) == len(set(ran)) <= CALLS


async def test_an_event_that_is_still_to_come_is_refused_and_a_seen_end_is_the_end(tmp_path: Path) -> None:
    async with stack(tmp_path) as (_, http):
        asked = await begun(http)
        turn = {**asked, "turn_id": "mine", "messages": [{"role": "user", "content": "mine"}]}
        last = (await http.post("/agentic_system/turn/create", json=turn)).json()["sequence"]
        params = {"agent_id": asked["system_id"], "turn_id": "mine"}
        url = "/agentic_system/turn/resume"
        at_end = await http.get(url, params=params, headers=EVENT_STREAM | {"last-event-id": f"{last}"})
        beyond = await http.get(url, params=params, headers=EVENT_STREAM | {"last-event-id": f"{last + 1}"})
        assert (at_end.status_code, at_end.text) == (200, "")
        assert (beyond.status_code, beyond.json()["error"]["code"]) == (400, "OUT_OF_RANGE")
