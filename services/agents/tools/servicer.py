"""ToolsService: messages to the toolbox and back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import grpc.aio

from llamastack.tools.v1 import mcp_server_pb2, tool_pb2
from llamastack.tools.v1.tools_service_pb2_grpc import ToolsServiceServicer
from mesh import deadline, identity
from mesh.ids import new_id
from mesh.json_text import loose_of
from mesh.metadata import AUTHORIZATION
from mesh.paging import page_size, read_token, write_token
from services.agents.tools import caller, messages
from services.agents.tools.tool import Surroundings, name_of
from services.agents.tools.toolbox import Toolbox

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
_LONGEST_S: Final = 3600.0
_TOOLS: Final = "tools"
_SERVERS: Final = "mcp_servers"


class ToolsServicer(ToolsServiceServicer):
    """Serves the toolbox. ``clock`` gives seconds that never go back."""

    def __init__(self, toolbox: Toolbox, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep the toolbox."""
        self._toolbox = toolbox
        self._clock = clock

    async def ListTools(self, request: tool_pb2.ListToolsRequest, context: Context) -> tool_pb2.ListToolsResponse:
        """List the tools, by name."""
        which = f"{_TOOLS} {request.kind} {request.server_id}"
        size, after = page_size(request.page_size), _after(which, request.page_token)
        with caller.calling_with(_authorization(context)):
            known = await self._toolbox.all(_tenant())
        wanted = [
            tool
            for tool in known
            if tool.description.name > after
            and messages.is_kind(tool, request.kind)
            and (not request.HasField("server_id") or tool.description.server_id == request.server_id)
        ]
        following = write_token(which, (wanted[size - 1].description.name,)) if len(wanted) > size else ""
        return tool_pb2.ListToolsResponse(tools=map(messages.tool, wanted[:size]), next_page_token=following)

    async def GetTool(self, request: tool_pb2.GetToolRequest, context: Context) -> tool_pb2.Tool:
        """Give one tool."""
        with caller.calling_with(_authorization(context)):
            return messages.tool(await self._toolbox.find(_tenant(), name_of(request.tool_name)))

    async def RegisterTool(self, request: tool_pb2.RegisterToolRequest, context: Context) -> tool_pb2.Tool:
        """Make a REST API a tool."""
        return messages.tool(await self._toolbox.register(_tenant(), request))

    async def UnregisterTool(
        self, request: tool_pb2.UnregisterToolRequest, context: Context
    ) -> tool_pb2.UnregisterToolResponse:
        """Take a registered tool away."""
        await self._toolbox.unregister(_tenant(), request.tool_name)
        return tool_pb2.UnregisterToolResponse()

    async def RunTool(self, request: tool_pb2.RunToolRequest, context: Context) -> tool_pb2.RunToolResponse:
        """Run a tool and wait for its result."""
        began = self._clock()
        left = deadline.remaining()
        surroundings = Surroundings(
            tenant=_tenant(),
            timeout_s=_LONGEST_S if left is None else left,
            session_id=request.session_id or None,
            authorization=_authorization(context),
        )
        arguments = {name: loose_of(value) for name, value in request.arguments.items()}
        with caller.calling_with(surroundings.authorization):
            tool = await self._toolbox.find(surroundings.tenant, name_of(request.tool_name))
            answer = await self._toolbox.run(tool, arguments, surroundings)
        return tool_pb2.RunToolResponse(
            call_id=request.call_id or new_id(),
            tool_name=request.tool_name,
            status=messages.status(answer),
            content=messages.content(answer),
            clipped=answer.clipped,
            duration=messages.duration(self._clock() - began),
        )

    async def ListMcpServers(
        self, request: mcp_server_pb2.ListMcpServersRequest, context: Context
    ) -> mcp_server_pb2.ListMcpServersResponse:
        """List the MCP servers, by id."""
        size, after = page_size(request.page_size), _after(_SERVERS, request.page_token)
        found = await self._toolbox.servers(_tenant(), after, size + 1)
        following = write_token(_SERVERS, (found[size - 1][0].server_id,)) if len(found) > size else ""
        shown = [messages.server(server, offer) for server, offer in found[:size]]
        return mcp_server_pb2.ListMcpServersResponse(servers=shown, next_page_token=following)

    async def RegisterMcpServer(
        self, request: mcp_server_pb2.RegisterMcpServerRequest, context: Context
    ) -> mcp_server_pb2.McpServer:
        """Make the tools of an MCP server known."""
        with caller.calling_with(_authorization(context)):
            return messages.server(*await self._toolbox.register_server(_tenant(), request))

    async def UnregisterMcpServer(
        self, request: mcp_server_pb2.UnregisterMcpServerRequest, context: Context
    ) -> mcp_server_pb2.UnregisterMcpServerResponse:
        """Take an MCP server and its tools away."""
        await self._toolbox.unregister_server(_tenant(), request.server_id)
        return mcp_server_pb2.UnregisterMcpServerResponse()


def _tenant() -> str:
    return identity.current().tenant


def _after(which: str, token: str) -> str:
    key = read_token(which, token)
    return "" if key is None else str(key[0])


def _authorization(context: Context) -> str | None:
    pairs = context.invocation_metadata() or ()
    return next((value for key, value in pairs if key == AUTHORIZATION and isinstance(value, str)), None)
