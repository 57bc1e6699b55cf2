"""Puts the agents service together; the only module that names concrete classes."""

from __future__ import annotations

from llamastack.tools.v1.tools_service_pb2_grpc import add_ToolsServiceServicer_to_server
from mesh.channel import Companion
from mesh.client import Client
from mesh.health import Dependency
from mesh.migrations import migrate
from mesh.server import Attachments, Registration, Server
from mesh.storage import Storage
from mesh.telemetry.process import ProcessTelemetry
from services.agents.config import AgentsConfig
from services.agents.tool_parts import ToolParts
from services.agents.tools.servicer import ToolsServicer
from services.agents.tools.tables import MIGRATIONS as TOOLS


class App:
    """The service: its database and its server."""

    def __init__(self, config: AgentsConfig, telemetry: ProcessTelemetry) -> None:
        """Build everything; nothing is opened before :meth:`begin`."""
        self._telemetry = telemetry
        self._storage = Storage(config.database())
        self._client = Client(config.peers.calls, _companions(config, telemetry))
        self._tools = ToolParts(config.tools, self._storage, self._client, config.data)
        self.server = Server(
            config.server,
            [_tools(self._tools)],
            Attachments(
                dependencies=[Dependency("database", self._storage.check)],
                authenticator=config.auth.services(),
                outermost=[telemetry.interceptor],
            ),
        )
        telemetry.show_active(lambda: float(self.server.active))

    async def begin(self) -> None:
        """Bring the database up to date."""
        await migrate(self._storage, [TOOLS])
        self._tools.begin()

    async def stop(self) -> None:
        """Close the connections and the database, and send the last spans."""
        await self._tools.stop()
        await self._client.close()
        await self._storage.close()
        self._telemetry.close()


def _tools(parts: ToolParts) -> Registration:
    return Registration(add_ToolsServiceServicer_to_server, ToolsServicer(parts.toolbox))


def _companions(config: AgentsConfig, telemetry: ProcessTelemetry) -> list[Companion]:
    """Return what calls of other services carry: the caller's identity and the trace."""
    identity = config.auth.companion("agents")
    return [telemetry.companion] if identity is None else [identity, telemetry.companion]
