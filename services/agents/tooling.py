"""What a turn needs of the tools that this deployment runs; who runs them, and how, is not known here.

A turn first asks for the definitions of an agentic system's tools, then runs the calls of the model. An error of a tool
is a result that the model reads, not an exception: see :class:`ToolRunner`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from llamastack.agents.v1.tool_pb2 import SearchEngine
from llamastack.common.v1.content_pb2 import Attachment
from llamastack.common.v1.tool_pb2 import RestApiExecutionConfig, ToolCall, ToolDefinition, ToolName, ToolResponse
from llamastack.safety.v1.shield_pb2 import ShieldDefinition

FILES_FOLDER: Final = "/mnt/data"
"""Where code that runs in the sandbox finds the files of its session."""

Progress: TypeAlias = Callable[[str], Awaitable[None]]
"""Takes text that a tool wrote since the last time, while it still runs."""


@dataclass(frozen=True, slots=True)
class KnownTool:
    """A tool that this deployment runs.

    Attributes:
        definition: name, description and parameters as the model is told.
        idempotent: whether running it twice does no more than running it once. Such a call is repeated when its process
            died; any other is reported as uncertain.
        requires_approval: whether a person has to allow each call, whatever the agentic system says.
        server_id: the MCP server that runs it; None for all others.
        unavailable_reason: why it can't run now, for a person; None when it can.
    """

    definition: ToolDefinition
    idempotent: bool = False
    requires_approval: bool = False
    server_id: str | None = None
    unavailable_reason: str | None = None


@dataclass(frozen=True, slots=True)
class AgentTool:
    """A tool of an agentic system with all that follows from its definition there and from what is known of it.

    Attributes:
        definition: what the model is told.
        runs_here: False when the client has to run it.
        idempotent: as for :class:`KnownTool`.
        requires_approval: whether a person has to allow each call.
        execution_config: the REST call that runs it instead; None for none.
        engine: where a web search goes; unspecified for the service's setting.
        input_shields: run over the arguments before it.
        output_shields: run over the result after it.
        server_id: the MCP server that runs it; None for all others.
    """

    definition: ToolDefinition
    runs_here: bool
    idempotent: bool = False
    requires_approval: bool = False
    execution_config: RestApiExecutionConfig | None = None
    engine: SearchEngine.ValueType = SearchEngine.SEARCH_ENGINE_UNSPECIFIED
    input_shields: tuple[ShieldDefinition, ...] = ()
    output_shields: tuple[ShieldDefinition, ...] = ()
    server_id: str | None = None


@dataclass(frozen=True, slots=True)
class SessionFile:
    """A file of a session that code in the sandbox finds as ``FILES_FOLDER/name``; ``name`` has no slash."""

    name: str
    attachment: Attachment


@dataclass(frozen=True, slots=True)
class ToolContext:
    """For whom and in what surroundings a call runs.

    Attributes:
        tenant: who owns the session.
        session_id: calls of one session share what the tool keeps.
        turn_id: the turn.
        timeout_s: seconds that the call may take; the tool's own limit may be shorter.
        tool: the tool as the agentic system has it.
        files: files that the sandbox has to hold before code runs, oldest first; of no use to other tools.
        authorization: the Authorization header of the caller who began the turn, for MCP servers to which it is passed
            on; None when the turn was picked up after a restart. Never stored.
        progress: takes output while the tool runs; None when nobody listens.
    """

    tenant: str
    session_id: str
    turn_id: str
    timeout_s: float
    tool: AgentTool
    files: tuple[SessionFile, ...] = ()
    authorization: str | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call gave back.

    Attributes:
        response: the result as the model reads it, already clipped; its content may be an Attachment.
        attachments: files that the tool made, as ``data:`` URLs or URLs that the client can read.
        is_error: whether the response tells of an error of the tool.
    """

    response: ToolResponse
    attachments: tuple[Attachment, ...] = ()
    is_error: bool = False


class ToolRunner(Protocol):
    """The tools that this deployment runs, those of the tenant among them."""

    async def find(self, tenant: str, name: ToolName) -> KnownTool | None:
        """Return the tool of that name (builtin, registered REST tool or tool of an MCP server), or None."""
        ...

    async def of_server(self, tenant: str, server_id: str, allowed: Sequence[str]) -> list[KnownTool]:
        """Return the tools of an MCP server by name; ``allowed`` are its own names of those to return, empty for all.

        A server that does not answer has no tools: it does not break a turn.

        Raises:
            ResourceNotFound: the tenant knows no such server.
        """
        ...

    async def run(self, call: ToolCall, context: ToolContext) -> ToolResult:
        """Run a call and return its result.

        A tool that fails, is not there, is not available, takes too long or gets bad arguments has a result that says
        so. Retries of idempotent calls happen in here. Cancelling ends the call.

        Raises:
            MeshError: the call could not even be tried for a reason that the turn has to end with.
        """
        ...

    async def forget(self, tenant: str, session_id: str) -> None:
        """Drop what tools keep for a session that is deleted; nothing happens if that is nothing."""
        ...
