"""A tool of an MCP server as one of the stack."""

from __future__ import annotations

from typing import Final

from mesh.errors import BackendUnavailable
from services.agents.tools import caller
from services.agents.tools.arguments import parameters_of
from services.agents.tools.mcp_connection import RemoteTool
from services.agents.tools.mcp_servers import McpServers, Registered
from services.agents.tools.tool import Answer, Arguments, Description, Kind, Surroundings

SEPARATOR: Final = "__"


class McpTool:
    """Calls a server's tool."""

    def __init__(self, servers: McpServers, server: Registered, remote: RemoteTool, timeout_s: float) -> None:
        """Keep whom to ask."""
        self._servers = servers
        self._server = server
        self._remote = remote
        self.description = Description(
            name=f"{server.server_id}{SEPARATOR}{remote.name}",
            kind=Kind.MCP,
            text=remote.text,
            parameters=parameters_of(remote.schema),
            timeout_s=timeout_s,
            schema=remote.schema,
            idempotent=remote.idempotent,
            requires_approval=server.spec.requires_approval,
            server_id=server.server_id,
            created_at=server.created_at,
        )

    @property
    def unavailable_reason(self) -> str | None:
        """None: tools of a server that does not answer are not known at all."""
        return None

    async def run(self, arguments: Arguments, surroundings: Surroundings) -> Answer:
        """Call the tool; an idempotent one once more over a fresh connection when the first one broke."""
        with caller.calling_with(surroundings.authorization or caller.authorization()):
            try:
                return await self._call(arguments, surroundings.timeout_s)
            except BackendUnavailable:
                if not self._remote.idempotent:
                    raise
                return await self._call(arguments, surroundings.timeout_s)

    async def _call(self, arguments: Arguments, timeout_s: float) -> Answer:
        return await self._servers.call(self._server, self._remote.name, arguments, timeout_s)
