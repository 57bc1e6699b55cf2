"""Puts the agents service together; the only module that names concrete classes."""

from __future__ import annotations

from typing import Final

from llamastack.agents.v1.agentic_system_service_pb2_grpc import add_AgenticSystemServiceServicer_to_server
from llamastack.safety.v1.safety_service_pb2_grpc import add_SafetyServiceServicer_to_server
from llamastack.tools.v1.tools_service_pb2_grpc import add_ToolsServiceServicer_to_server
from mesh.channel import Companion
from mesh.client import Client
from mesh.health import Dependency
from mesh.migrations import migrate
from mesh.server import Attachments, Registration, Server
from mesh.storage import Storage
from mesh.telemetry.process import ProcessTelemetry
from services.agents.config import AgentsConfig
from services.agents.inference import Inference
from services.agents.loop import Means
from services.agents.memory import Memory
from services.agents.observed_tools import ObservedTools
from services.agents.safety.servicer import SafetyServicer
from services.agents.safety_parts import Safety
from services.agents.shielding import ShieldRunner
from services.agents.tables import MIGRATIONS
from services.agents.tool_parts import ToolParts
from services.agents.tooling import ToolRunner
from services.agents.tools.servicer import ToolsServicer
from services.agents.tools.tables import MIGRATIONS as TOOLS
from services.agents.turn_parts import Conversations, conversations

TABLES: Final = (
    TOOLS,
    MIGRATIONS,
)
"""The migrations of the service, in their order."""


class App:
    """The service: its database, its turns and its server."""

    def __init__(self, config: AgentsConfig, telemetry: ProcessTelemetry) -> None:
        """Build everything; nothing is opened before :meth:`begin`."""
        self._telemetry = telemetry
        self._storage = Storage(config.database())
        self._client = Client(config.peers.calls, _companions(config, telemetry))
        self._tools = ToolParts(config.tools, self._storage, self._client, config.data)
        self._safety = Safety(config.safety, self._client, config.peers.inference)
        tools = ObservedTools(self._tools.runner, telemetry.tracing, capture=config.telemetry.capture_contents)
        means = _means(config, self._client, tools, self._safety.shields)
        self._conversations = conversations(config, self._storage, means, telemetry.tracing)
        self.server = Server(
            config.server,
            [_turns(self._conversations), _tools(self._tools), _safety(self._safety, config)],
            Attachments(
                dependencies=[Dependency("database", self._storage.check)],
                authenticator=config.auth.services(),
                outermost=[telemetry.interceptor],
                innermost=telemetry.semantics,
            ),
        )
        runs = self._conversations.runs
        telemetry.show_active(lambda: float(self.server.active))
        telemetry.metrics.gauge("agents_turns", "Turns that run.", lambda: float(runs.count))

    async def begin(self) -> None:
        """Bring the database up to date and go on with the turns that were left running."""
        await migrate(self._storage, TABLES)
        self._tools.begin()
        self._conversations.commits.start()
        await self._conversations.runs.begin()

    async def stop(self) -> None:
        """Give turns out of hand, close the connections and the database, and send the last spans."""
        await self._conversations.runs.stop()
        await self._conversations.commits.stop()
        await self._tools.stop()
        await self._safety.close()
        await self._client.close()
        await self._storage.close()
        self._telemetry.close()


def _turns(made: Conversations) -> Registration:
    return Registration(add_AgenticSystemServiceServicer_to_server, made.servicer)


def _tools(parts: ToolParts) -> Registration:
    return Registration(add_ToolsServiceServicer_to_server, ToolsServicer(parts.toolbox))


def _safety(parts: Safety, config: AgentsConfig) -> Registration:
    return Registration(add_SafetyServiceServicer_to_server, SafetyServicer(parts.shields, config.safety.timeout_s))


def _means(config: AgentsConfig, client: Client, tools: ToolRunner, shields: ShieldRunner) -> Means:
    return Means(
        model=Inference(client.channel(config.peers.inference)),
        banks=Memory(client.channel(config.peers.memory)),
        tools=tools,
        shields=shields,
        tool_timeout_s=config.turns.tool_timeout_s,
        shield_timeout_s=config.turns.shield_timeout_s,
    )


def _companions(config: AgentsConfig, telemetry: ProcessTelemetry) -> list[Companion]:
    """Return what calls of other services carry: the caller's identity and the trace."""
    identity = config.auth.companion("agents")
    return [telemetry.companion] if identity is None else [identity, telemetry.companion]
