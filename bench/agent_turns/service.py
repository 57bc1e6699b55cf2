"""The agents service with a tool that takes a known time and may have effects.

``python -m bench.agent_turns.service ADDRESS DATABASE INFERENCE SECONDS``. All is the service's own but the tool.
SIGUSR1 has it print what is open in it, as a line of JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import sys
from collections.abc import Sequence

from llamastack.agents.v1.agentic_system_service_pb2_grpc import add_AgenticSystemServiceServicer_to_server
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import Message
from llamastack.common.v1.tool_pb2 import ToolCall, ToolDefinition, ToolName, ToolResponse
from llamastack.safety.v1.shield_pb2 import ShieldDefinition, ShieldResponse
from mesh.client import Client, ClientConfig
from mesh.errors import ResourceNotFound
from mesh.migrations import migrate
from mesh.server import Registration, Server, ServerConfig
from mesh.storage import Storage, StorageConfig
from services.agents.config import AgentsConfig
from services.agents.inference import Inference
from services.agents.loop import Means
from services.agents.memory import Memory
from services.agents.shielding import ShieldContext
from services.agents.tables import MIGRATIONS
from services.agents.tooling import KnownTool, ToolContext, ToolResult
from services.agents.turn_parts import conversations


class Waiting:
    """The one tool."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def find(self, tenant: str, name: ToolName) -> KnownTool | None:
        return KnownTool(ToolDefinition(tool_name=name, description="Waits."))

    async def of_server(self, tenant: str, server_id: str, allowed: Sequence[str]) -> list[KnownTool]:
        raise ResourceNotFound("MCP server", server_id)

    async def run(self, call: ToolCall, context: ToolContext) -> ToolResult:
        await asyncio.sleep(self._seconds)
        said = Content(text="waited")
        return ToolResult(ToolResponse(call_id=call.call_id, tool_name=call.tool_name, content=said))

    async def forget(self, tenant: str, session_id: str) -> None:
        return


class Unguarded:
    """No shields."""

    async def check(self, shields: Sequence[ShieldDefinition]) -> None:
        return

    async def run(
        self, messages: Sequence[Message], shields: Sequence[ShieldDefinition], context: ShieldContext
    ) -> list[ShieldResponse]:
        return [ShieldResponse(shield_type=shield.shield_type) for shield in shields]


async def main(address: str, database: str, inference: str, seconds: float) -> None:
    """Serve until killed."""
    storage = Storage(StorageConfig(url=database))
    await migrate(storage, [MIGRATIONS])
    channel = Client(ClientConfig()).channel(inference)
    means = Means(Inference(channel), Memory(channel), Waiting(seconds), Unguarded())
    made = conversations(AgentsConfig(), storage, means)
    made.commits.start()
    await made.runs.begin()
    server = Server(
        ServerConfig(bind=address), [Registration(add_AgenticSystemServiceServicer_to_server, made.servicer)]
    )
    await server.start()

    def tell() -> None:
        gc.collect()
        tasks = len(asyncio.all_tasks())
        opened = {"calls": server.active, "turns": made.runs.count, "tasks": tasks, "objects": len(gc.get_objects())}
        print(json.dumps(opened), flush=True)

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell)
    print("serving", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])))
