"""Agents and a gateway on one host, the inference service that both call on another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc.aio

from bench.restarts.model import MODEL, parrot
from llamastack.agents.v1 import config_pb2, session_pb2, turn_pb2
from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceStub
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import UserMessage
from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from llamastack.models.v1.models_service_pb2_grpc import add_ModelsServiceServicer_to_server
from mesh.client import Client, ClientConfig
from mesh.errors import from_rpc
from mesh.server import ServerConfig
from mesh.testing import mesh_of
from tests.integration.network.cable import Cable, Host
from tests.integration.network.http import ask
from tests.integration.security.processes import process, until_it_serves

INFERENCE_PORT: Final = 50051
GATEWAY_PORT: Final = 8080
OK: Final = "ok"
BODY: Final = {"model": MODEL, "messages": [{"role": "user", "content": "slow"}]}


@dataclass(frozen=True)
class Callers:
    """What is called across the cable, by a gRPC client of the agents and by an HTTP client of the gateway.

    Every method returns ``ok`` or the reason of the error that the call ended with.
    """

    agents: Any
    system_id: str
    near: Host

    async def turn(self, seconds: float) -> str:
        """Run a turn."""
        return await _ended(self._turn("quick", seconds))

    async def slow_turn(self, seconds: float, begun: Callable[[], None]) -> str:
        """Stream a turn; tell when its first text has come."""
        return await _ended(self._slow_turn(seconds, begun))

    async def chat(self, seconds: float) -> str:
        """Ask for a completion over HTTP."""
        return await ask(self.near, GATEWAY_PORT, BODY, seconds, lambda: None)

    async def slow_chat(self, seconds: float, begun: Callable[[], None]) -> str:
        """Stream a completion over HTTP; tell when its first event has come."""
        return await ask(self.near, GATEWAY_PORT, {**BODY, "stream": True}, seconds, begun)

    async def _turn(self, text: str, seconds: float) -> None:
        request = await self._request(text, seconds)
        await self.agents.CreateTurn(request, timeout=seconds)

    async def _slow_turn(self, seconds: float, begun: Callable[[], None]) -> None:
        request = await self._request("slow", seconds)
        async for chunk in self.agents.StreamCreateTurn(request, timeout=seconds):
            if chunk.event.payload.HasField("step_progress"):
                begun()

    async def _request(self, text: str, seconds: float) -> turn_pb2.AgenticSystemTurnCreateRequest:
        session = session_pb2.AgenticSystemSessionCreateRequest(system_id=self.system_id, session_name="talk")
        made = await self.agents.CreateSession(session, timeout=seconds)
        said = turn_pb2.TurnInputMessage(user=UserMessage(content=Content(text=text)))
        return turn_pb2.AgenticSystemTurnCreateRequest(
            system_id=self.system_id, session_id=made.session_id, messages=[said]
        )


async def _ended(call: Any) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return from_rpc(error).reason_name()
    return OK


@asynccontextmanager
async def hosts(joined: Cable, folder: Path) -> AsyncIterator[Callers]:
    """Run the processes on both ends of a cable."""
    far = f"{joined.far.address}:{INFERENCE_PORT}"
    servicer = parrot()
    model = {add_InferenceServiceServicer_to_server: servicer, add_ModelsServiceServicer_to_server: servicer}
    # sockets in a folder lead from one network to another
    own, agents = ServerConfig(bind=f"unix:{folder}/model.sock", drain_grace_s=0.0), f"unix:{folder}/agents.sock"
    inference = {
        "ALTIPLANO_INFERENCE_BIND": far,
        "ALTIPLANO_INFERENCE_INSECURE": "true",
        "ALTIPLANO_INFERENCE_DATA": str(folder / "inference"),
        "ALTIPLANO_INFERENCE_MODEL": "",
        "ALTIPLANO_INFERENCE_EMBEDDING_MODEL": "",
        "ALTIPLANO_INFERENCE_REMOTE_MODELS": f"{MODEL}={own.bind}",
        "ALTIPLANO_INFERENCE_DRAIN_GRACE_S": "0",
    }
    before = {
        "ALTIPLANO_AGENTS_BIND": agents,
        "ALTIPLANO_AGENTS_DATA": str(folder / "agents"),
        "ALTIPLANO_AGENTS_DRAIN_GRACE_S": "0",
        "ALTIPLANO_INFERENCE_ADDRESS": far,
    }
    front = {
        "ALTIPLANO_GATEWAY_BIND": f"127.0.0.1:{GATEWAY_PORT}",
        "ALTIPLANO_GATEWAY_UPSTREAMS": f"inference={far}",
        "ALTIPLANO_GATEWAY_DRAIN_GRACE_S": "0",
    }
    logs = {name: folder / f"{name}.log" for name in ("inference", "agents", "gateway")}
    async with (
        mesh_of(model, config=own),
        process("services.inference", logs["inference"], inference, before=joined.far.run()),
        process("services.agents", logs["agents"], before, before=joined.near.run()) as started,
        process("gateway", logs["gateway"], front, before=joined.near.run()),
        Client(ClientConfig()) as client,
    ):
        await until_it_serves(agents, started, logs["agents"])
        stub: Any = AgenticSystemServiceStub(client.channel(agents))
        config = config_pb2.AgenticSystemInstanceConfig(instructions="Be brief.")
        made = await stub.CreateAgenticSystem(
            config_pb2.AgenticSystemCreateRequest(model=MODEL, instance_config=config)
        )
        callers = Callers(stub, made.system_id, joined.near)
        async with asyncio.timeout(60):
            while [await callers.turn(2), await callers.chat(2)] != [OK, OK]:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.2)
        yield callers
