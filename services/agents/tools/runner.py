"""The toolbox as turns use it: whatever goes wrong with a tool is a result that the model reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from llamastack.common.v1.content_pb2 import Attachment
from llamastack.common.v1.tool_pb2 import ToolCall, ToolName, ToolResponse
from mesh.errors import Cancelled, MeshError, ResourceNotFound
from mesh.json_text import loose_of
from services.agents.tooling import AgentTool, KnownTool, ToolContext, ToolResult
from services.agents.tools import caller, messages
from services.agents.tools.mcp_tool import SEPARATOR
from services.agents.tools.tool import Answer, Description, Kind, Status, Surroundings, Tool, name_of
from services.agents.tools.toolbox import Toolbox

_REMOTE_TIMEOUT_S: Final = 60.0


class Runner:
    """Finds and runs the tools of turns; ``forget`` drops what is kept for a session of a tenant."""

    def __init__(self, toolbox: Toolbox, forget: Callable[[str, str], Awaitable[None]]) -> None:
        """Keep the toolbox."""
        self._toolbox = toolbox
        self._forget = forget

    async def find(self, tenant: str, name: ToolName) -> KnownTool | None:
        """Return the tool of that name, or None."""
        try:
            return _known(await self._toolbox.find(tenant, name_of(name)))
        except ResourceNotFound:
            return None

    async def of_server(self, tenant: str, server_id: str, allowed: Sequence[str]) -> list[KnownTool]:
        """Return the tools of an MCP server; ``allowed`` are its own names of those to return, empty for all.

        Raises:
            ResourceNotFound: the tenant knows no such server.
        """
        tools = await self._toolbox.of_server(tenant, server_id)
        wanted = {f"{server_id}{SEPARATOR}{name}" for name in allowed}
        return [_known(tool) for tool in tools if not wanted or tool.description.name in wanted]

    async def run(self, call: ToolCall, context: ToolContext) -> ToolResult:
        """Run a call and return its result; a tool that can't run has a result that says why.

        Raises:
            Cancelled: the caller went away.
        """
        with caller.calling_with(context.authorization):
            answer = await self._answer(call, context)
        files = tuple(part for part in answer.parts if isinstance(part, Attachment))
        response = ToolResponse(call_id=call.call_id, tool_name=call.tool_name, content=messages.content(answer))
        return ToolResult(response, files, answer.status is not Status.COMPLETED)

    async def forget(self, tenant: str, session_id: str) -> None:
        """Drop what tools keep for a session."""
        await self._forget(tenant, session_id)

    async def _answer(self, call: ToolCall, context: ToolContext) -> Answer:
        arguments: dict[str, Any] = {name: loose_of(value) for name, value in call.arguments.items()}
        surroundings = Surroundings(
            tenant=context.tenant,
            timeout_s=context.timeout_s,
            session_id=context.session_id,
            engine=context.tool.engine,
            files=context.files,
            authorization=context.authorization,
            progress=context.progress,
        )
        try:
            tool = await self._tool(call, context)
            return await self._toolbox.run(tool, arguments, surroundings)
        except Cancelled:
            raise
        except MeshError as error:
            return Answer((error.message,), Status.ERROR)

    async def _tool(self, call: ToolCall, context: ToolContext) -> Tool:
        config = context.tool.execution_config
        if config is None:
            return await self._toolbox.find(context.tenant, name_of(call.tool_name))
        return self._toolbox.calling(config, _described(context.tool))


def _known(tool: Tool) -> KnownTool:
    described = tool.description
    return KnownTool(
        definition=messages.definition(described),
        idempotent=described.idempotent,
        requires_approval=described.requires_approval,
        server_id=described.server_id,
        unavailable_reason=tool.unavailable_reason,
    )


def _described(tool: AgentTool) -> Description:
    """Return the description of a tool that an agentic system brings with its call."""
    definition = tool.definition
    return Description(
        name=name_of(definition.tool_name),
        kind=Kind.REST,
        text=definition.description,
        parameters=dict(definition.parameters),
        timeout_s=_REMOTE_TIMEOUT_S,
        # what an agentic system does not describe is not checked
        schema=None if definition.parameters else {},
        idempotent=tool.idempotent,
    )
