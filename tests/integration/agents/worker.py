"""An agents service that can be killed: ``python -m tests.integration.agents.worker DATABASE INFERENCE FILE``.

It says ``ready`` and serves at the address that it then reads. Its one tool appends the id of each call to the file.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from llamastack.agents.v1.agentic_system_service_pb2_grpc import add_AgenticSystemServiceServicer_to_server
from llamastack.common.v1.tool_pb2 import ToolCall
from mesh.client import Client, ClientConfig
from mesh.migrations import migrate
from mesh.server import Registration, Server, ServerConfig
from mesh.storage import Storage, StorageConfig
from services.agents.config import AgentsConfig, TurnConfig
from services.agents.inference import Inference
from services.agents.loop import Means
from services.agents.memory import Memory
from services.agents.tables import MIGRATIONS
from services.agents.tooling import ToolContext, ToolResult
from services.agents.turn_parts import conversations
from tests.integration.agents.scripted import ScriptedShields, ScriptedTools, answering, custom

LEASE_S = 1.5


async def main(database: str, inference: str, counted: Path) -> None:
    """Serve until killed."""

    async def count(made: ToolCall, context: ToolContext) -> ToolResult:
        with counted.open("a") as file:
            file.write(f"{made.call_id}\n")
        await asyncio.sleep(0.02)
        return await answering(f"counted {made.call_id}")(made, context)

    tools = ScriptedTools()
    tools.add(custom("count"), count)
    print("ready", flush=True)
    address = (await asyncio.to_thread(sys.stdin.readline)).strip()
    storage = Storage(StorageConfig(url=database))
    await migrate(storage, [MIGRATIONS])
    channel = Client(ClientConfig()).channel(inference)
    means = Means(Inference(channel), Memory(channel), tools, ScriptedShields())
    settings = replace(AgentsConfig(), turns=TurnConfig(lease_s=LEASE_S, poll_s=0.05))
    made = conversations(settings, storage, means)
    made.commits.start()
    await made.runs.begin()
    registration = Registration(add_AgenticSystemServiceServicer_to_server, made.servicer)
    server = Server(ServerConfig(bind=address), [registration])
    await server.start()
    print("serving", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
