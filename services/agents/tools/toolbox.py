"""All tools of a tenant: the builtin ones, registered REST APIs, and what MCP servers offer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from llamastack.common.v1.tool_pb2 import RestApiExecutionConfig
from llamastack.tools.v1.mcp_server_pb2 import RegisterMcpServerRequest
from llamastack.tools.v1.tool_pb2 import RegisterToolRequest
from mesh.errors import ResourceExists, ResourceNotFound, WrongState
from mesh.json_text import loose_of
from services.agents.tools import arguments as checking
from services.agents.tools.clipping import clipped
from services.agents.tools.mcp_servers import McpServers, Offer, Registered
from services.agents.tools.mcp_tool import SEPARATOR, McpTool
from services.agents.tools.registrations import Registrations, Row
from services.agents.tools.rest import RestTool, Secrets
from services.agents.tools.tool import Answer, Arguments, Description, Kind, Status, Surroundings, Tool, ToolFailed
from services.agents.tools.web import Web

_TIMEOUT_S: Final = 30.0
TOOL: Final = "tool"
SERVER: Final = "MCP server"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a toolbox is made of; ``guarded`` is the web for addresses that callers name."""

    builtin: Sequence[Tool]
    rest: Registrations[RegisterToolRequest]
    servers: Registrations[RegisterMcpServerRequest]
    mcp: McpServers
    guarded: Web
    secrets: Secrets


class Toolbox:
    """Finds and runs tools. ``most`` is characters of a result's texts, ``mcp_timeout_s`` seconds of an MCP call."""

    def __init__(self, parts: Parts, most: int, mcp_timeout_s: float) -> None:
        """Keep the parts."""
        self._parts = parts
        self._builtin = {tool.description.name: tool for tool in parts.builtin}
        self._most = most
        self._mcp_timeout_s = mcp_timeout_s

    async def all(self, tenant: str) -> list[Tool]:
        """Return the tools by name; those of servers that do not answer are not among them."""
        rest = [self._rest(row) for row in await self._parts.rest.page(tenant)]
        rows = await self._parts.servers.page(tenant)
        of_servers = await asyncio.gather(*(self._of_server(_registered(tenant, row)) for row in rows))
        tools = [*self._builtin.values(), *rest, *(tool for tools in of_servers for tool in tools)]
        return sorted(tools, key=lambda tool: tool.description.name)

    async def find(self, tenant: str, name: str) -> Tool:
        """Return a tool.

        Raises:
            ResourceNotFound: the tenant has none of that name, or its MCP server does not answer.
        """
        if name in self._builtin:
            return self._builtin[name]
        rows = await self._parts.rest.page(tenant, name=name)
        if rows:
            return self._rest(rows[0])
        for row in await self._parts.servers.page(tenant):
            if name.startswith(f"{row.name}{SEPARATOR}"):
                for tool in await self._of_server(_registered(tenant, row)):
                    if tool.description.name == name:
                        return tool
        raise ResourceNotFound(TOOL, name)

    async def run(self, tool: Tool, arguments: Arguments, surroundings: Surroundings) -> Answer:
        """Run a tool and return its result, cut to the size limit; what the tool tells of is a result.

        Raises:
            InvalidField: the arguments do not fit.
            WrongState: the tool can't run here.
            BackendUnavailable: what runs it can't be reached.
        """
        checking.check(tool.description, arguments)
        if tool.unavailable_reason is not None and surroundings.engine == 0:
            raise WrongState(f"{tool.description.name} is not available: {tool.unavailable_reason}")
        seconds = min(tool.description.timeout_s, surroundings.timeout_s)
        try:
            async with asyncio.timeout(seconds + tool.description.grace_s):
                answer = await tool.run(arguments, replace(surroundings, timeout_s=seconds))
        except ToolFailed as error:
            answer = Answer((str(error),), Status.ERROR)
        except TimeoutError:
            answer = Answer((f"the tool did not answer within {seconds:g} s",), Status.TIMEOUT)
        return clipped(answer, self._most)

    def calling(self, config: RestApiExecutionConfig, like: Description) -> Tool:
        """Return a tool that makes a REST call and is otherwise described like another."""
        described = replace(like, kind=Kind.REST, execution_config=config)
        return RestTool(described, self._parts.guarded, self._parts.secrets)

    async def register(self, tenant: str, request: RegisterToolRequest) -> Tool:
        """Make a REST API a tool.

        Raises:
            ResourceExists: the name stands for something else.
            InvalidField: the schema is none.
        """
        name = request.tool_name
        servers = await self._parts.servers.page(tenant)
        if name in self._builtin or any(name.startswith(f"{row.name}{SEPARATOR}") for row in servers):
            raise ResourceExists(TOOL, name)
        if request.HasField("input_schema"):
            checking.check_schema(_schema(request) or {}, "input_schema")
        self._parts.secrets.named(request.secret_headers)
        return self._rest(await self._parts.rest.add(tenant, name, request))

    async def unregister(self, tenant: str, name: str) -> None:
        """Take a registered tool away.

        Raises:
            ResourceNotFound: no tool of that name was registered.
        """
        await self._parts.rest.remove(tenant, name)

    async def register_server(self, tenant: str, request: RegisterMcpServerRequest) -> tuple[Registered, Offer]:
        """Make the tools of an MCP server known; it need not answer yet.

        Raises:
            ResourceExists: there is another server of that id, or a tool with a name of its own kind.
            InvalidField: its command or address is not allowed.
            WrongState: a secret that it names is not configured.
        """
        await self._parts.mcp.check(request)
        prefix = f"{request.server_id}{SEPARATOR}"
        if any(row.name.startswith(prefix) for row in await self._parts.rest.page(tenant)):
            raise ResourceExists(SERVER, request.server_id)
        server = _registered(tenant, await self._parts.servers.add(tenant, request.server_id, request))
        return server, await self._parts.mcp.offer(server, anew=True)

    async def unregister_server(self, tenant: str, server_id: str) -> None:
        """Take an MCP server and its tools away.

        Raises:
            ResourceNotFound: there is no server of that id.
        """
        row = await self._parts.servers.remove(tenant, server_id)
        await self._parts.mcp.forget(_registered(tenant, row))

    async def servers(self, tenant: str, after: str, size: int) -> list[tuple[Registered, Offer | None]]:
        """Return MCP servers by id after one, with what is known of them."""
        rows = await self._parts.servers.page(tenant, after=after, size=size)
        return [(server, self._parts.mcp.known(server)) for server in (_registered(tenant, row) for row in rows)]

    async def of_server(self, tenant: str, server_id: str) -> list[Tool]:
        """Return the tools of an MCP server by name; none where it does not answer.

        Raises:
            ResourceNotFound: there is no server of that id.
        """
        return await self._of_server(_registered(tenant, await self._parts.servers.get(tenant, server_id)))

    async def _of_server(self, server: Registered) -> list[Tool]:
        offer = await self._parts.mcp.offer(server)
        return [McpTool(self._parts.mcp, server, remote, self._mcp_timeout_s) for remote in offer.tools]

    def _rest(self, row: Row[RegisterToolRequest]) -> Tool:
        spec = row.spec
        described = Description(
            name=row.name,
            kind=Kind.REST,
            text=spec.description,
            parameters=dict(spec.parameters),
            timeout_s=spec.timeout.ToNanoseconds() / 1e9 if spec.HasField("timeout") else _TIMEOUT_S,
            schema=_schema(spec),
            idempotent=spec.idempotent,
            requires_approval=spec.requires_approval,
            execution_config=spec.execution_config,
            created_at=row.created_at,
        )
        return RestTool(described, self._parts.guarded, self._parts.secrets, spec.secret_headers)


def _registered(tenant: str, row: Row[RegisterMcpServerRequest]) -> Registered:
    return Registered(tenant, row.spec, row.created_at)


def _schema(spec: RegisterToolRequest) -> dict[str, Any] | None:
    if not spec.HasField("input_schema"):
        return None
    return {name: loose_of(value) for name, value in spec.input_schema.fields.items()}
