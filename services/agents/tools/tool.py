"""What all tools have in common: how one describes itself, what a call brings, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Protocol, TypeAlias

from llamastack.agents.v1.tool_pb2 import SearchEngine
from llamastack.common.v1.content_pb2 import Attachment
from llamastack.common.v1.tool_pb2 import BuiltinTool, RestApiExecutionConfig, ToolName, ToolParamDefinition
from services.agents.tooling import Progress, SessionFile

Arguments: TypeAlias = Mapping[str, Any]
"""A call's arguments as Python's JSON values."""

BUILTINS: Final = {
    "brave_search": BuiltinTool.BUILTIN_TOOL_BRAVE_SEARCH,
    "wolfram_alpha": BuiltinTool.BUILTIN_TOOL_WOLFRAM_ALPHA,
    "photogen": BuiltinTool.BUILTIN_TOOL_PHOTOGEN,
    "code_interpreter": BuiltinTool.BUILTIN_TOOL_CODE_INTERPRETER,
}
_NAMES: Final = {number: name for name, number in BUILTINS.items()}


class Status(Enum):
    """How a run ended."""

    COMPLETED = "completed"
    ERROR = "error"
    TIMEOUT = "timeout"


class Kind(Enum):
    """Who runs a tool."""

    BUILTIN = "builtin"
    REST = "rest"
    MCP = "mcp"


class ToolFailed(Exception):
    """The tool ran and told of an error; the text is for the model."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is told about a tool.

    Attributes:
        name: its name.
        kind: who runs it.
        text: what it does, for the model.
        parameters: its parameters by name, for the model.
        timeout_s: seconds that a call may take.
        schema: the JSON Schema of its arguments; None where there is nothing beyond the parameters.
        idempotent: whether running it twice does no more than running it once.
        requires_approval: whether a person has to allow each call.
        execution_config: the call that runs it, without secrets; REST tools only.
        server_id: the MCP server that runs it; MCP tools only.
        created_at: Unix seconds of its registration; None for builtin tools.
        grace_s: seconds that are waited on top of the timeout for a tool that ends itself and tells what it had.
    """

    name: str
    kind: Kind
    text: str
    parameters: Mapping[str, ToolParamDefinition]
    timeout_s: float
    schema: Mapping[str, Any] | None = None
    idempotent: bool = False
    requires_approval: bool = False
    execution_config: RestApiExecutionConfig | None = None
    server_id: str | None = None
    created_at: float | None = None
    grace_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """For whom a call runs; fields as in ``services.agents.tooling.ToolContext``. Without a session nothing is kept."""

    tenant: str
    timeout_s: float
    session_id: str | None = None
    engine: SearchEngine.ValueType = SearchEngine.SEARCH_ENGINE_UNSPECIFIED
    files: tuple[SessionFile, ...] = ()
    authorization: str | None = field(default=None, repr=False)
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gave back: texts and files in reading order."""

    parts: tuple[str | Attachment, ...]
    status: Status = Status.COMPLETED
    clipped: bool = False


class Tool(Protocol):
    """One tool of the stack."""

    @property
    def description(self) -> Description:
        """What is told about it."""
        ...

    @property
    def unavailable_reason(self) -> str | None:
        """Why it can't run now; None when it can."""
        ...

    async def run(self, arguments: Arguments, surroundings: Surroundings) -> Answer:
        """Run a call whose arguments fit the description.

        Raises:
            ToolFailed: the tool told of an error.
            TimeoutError: the time was up.
            MeshError: what runs it can't be reached, or can't run it here.
        """
        ...


def name_of(name: ToolName) -> str:
    """Return a tool's name as text."""
    return _NAMES[name.builtin] if name.WhichOneof("name") == "builtin" else name.custom


def tool_name(name: str) -> ToolName:
    """Return the message for a tool's name."""
    return ToolName(builtin=BUILTINS[name]) if name in BUILTINS else ToolName(custom=name)


def parameter(kind: str, text: str, *, required: bool = True) -> ToolParamDefinition:
    """Return the description of a parameter."""
    return ToolParamDefinition(param_type=kind, description=text, required=required)
