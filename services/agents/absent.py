"""Tools and shields where a deployment has none: no name is known, and a shield that is asked for fails closed."""

from __future__ import annotations

from collections.abc import Sequence

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import Message
from llamastack.common.v1.tool_pb2 import ToolCall, ToolName, ToolResponse
from llamastack.safety.v1.shield_pb2 import ShieldDefinition, ShieldResponse
from mesh.errors import ResourceNotFound, WrongState
from services.agents.shielding import ShieldContext
from services.agents.toolbox import name_of
from services.agents.tooling import KnownTool, ToolContext, ToolResult


class NoTools:
    """A ToolRunner without tools."""

    async def find(self, tenant: str, name: ToolName) -> KnownTool | None:
        """Return None."""
        return None

    async def of_server(self, tenant: str, server_id: str, allowed: Sequence[str]) -> list[KnownTool]:
        """Raise ResourceNotFound."""
        raise ResourceNotFound("MCP server", server_id)

    async def run(self, call: ToolCall, context: ToolContext) -> ToolResult:
        """Return a result that says so."""
        said = Content(text=f"There is no tool {name_of(call.tool_name)} in this deployment.")
        response = ToolResponse(call_id=call.call_id, tool_name=call.tool_name, content=said)
        return ToolResult(response, is_error=True)

    async def forget(self, tenant: str, session_id: str) -> None:
        """Return."""


class NoShields:
    """A ShieldRunner without shields."""

    async def check(self, shields: Sequence[ShieldDefinition]) -> None:
        """Raise WrongState unless there are none."""
        if shields:
            raise WrongState("this deployment runs no shields")

    async def run(
        self, messages: Sequence[Message], shields: Sequence[ShieldDefinition], context: ShieldContext
    ) -> list[ShieldResponse]:
        """Raise WrongState."""
        raise WrongState("this deployment runs no shields")
