"""The tools of one agentic system, out of both forms in which its configuration names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from llamastack.agents.v1 import tool_pb2 as pb
from llamastack.agents.v1.config_pb2 import AgenticSystemInstanceConfig
from llamastack.common.v1.tool_pb2 import BuiltinTool, ToolCall, ToolDefinition, ToolName
from services.agents.tooling import AgentTool, KnownTool, ToolRunner

_Typed: TypeAlias = pb.SearchTool | pb.WolframAlphaTool | pb.PhotogenTool | pb.CodeInterpreterTool | pb.FunctionCallTool

_BUILTIN: Final = {
    "search": BuiltinTool.BUILTIN_TOOL_BRAVE_SEARCH,
    "wolfram_alpha": BuiltinTool.BUILTIN_TOOL_WOLFRAM_ALPHA,
    "photogen": BuiltinTool.BUILTIN_TOOL_PHOTOGEN,
    "code_interpreter": BuiltinTool.BUILTIN_TOOL_CODE_INTERPRETER,
}
CODE: Final = ToolName(builtin=BuiltinTool.BUILTIN_TOOL_CODE_INTERPRETER)


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What the model may call, and the banks that are searched in every turn.

    ``unavailable`` are the tools that can't run now: the model does not hear of them.
    """

    tools: Sequence[AgentTool] = ()
    memory: Sequence[pb.MemoryTool] = ()
    unavailable: Sequence[ToolName] = ()

    def definitions(self) -> list[ToolDefinition]:
        """Return what the model is told."""
        definitions = (tool.definition for tool in self.tools)
        return [definition for definition in definitions if definition.tool_name not in self.unavailable]

    def find(self, name: ToolName) -> AgentTool | None:
        """Return the tool of that name, None if the system has none."""
        return next((tool for tool in self.tools if tool.definition.tool_name == name), None)

    def is_clients(self, call: ToolCall) -> bool:
        """Return whether the client has to run a call."""
        tool = self.find(call.tool_name)
        return tool is not None and not tool.runs_here

    @property
    def runs_code(self) -> bool:
        """Whether code can be run here on the files of the session."""
        tool = self.find(CODE)
        here = tool is not None and tool.runs_here and tool.execution_config is None
        return here and CODE not in self.unavailable


async def toolbox(config: AgenticSystemInstanceConfig, tenant: str, runner: ToolRunner) -> Toolbox:
    """Return the tools of a configuration; of two with one name the later one counts.

    Raises:
        ResourceNotFound: there is no such MCP server.
    """
    found: dict[bytes, AgentTool] = {}
    memory: list[pb.MemoryTool] = []
    unavailable: list[ToolName] = []

    def keep(tool: AgentTool, known: KnownTool | None) -> None:
        name = tool.definition.tool_name
        found[name.SerializeToString()] = tool
        if known is not None and known.unavailable_reason and tool.runs_here and tool.execution_config is None:
            unavailable.append(name)

    for defined in config.available_tools.tools:
        known = await runner.find(tenant, defined.tool_name)
        keep(_defined(defined, known), known)
    for typed in config.tools.tools:
        kind = typed.WhichOneof("tool")
        if kind == "memory":
            memory.append(typed.memory)
        elif kind == "mcp":
            for known in await runner.of_server(tenant, typed.mcp.server_id, typed.mcp.allowed_tools):
                keep(_of_server(typed.mcp, known), known)
        else:
            defined = _as_defined(typed, str(kind))
            known = await runner.find(tenant, defined.tool_name)
            keep(_typed(_defined(defined, known), typed), known)
    return Toolbox(list(found.values()), memory, unavailable)


def name_of(name: ToolName) -> str:
    """Return a tool's name as people read it."""
    if name.WhichOneof("name") == "custom":
        return name.custom
    return BuiltinTool.Name(name.builtin).removeprefix("BUILTIN_TOOL_").lower()


def _as_defined(typed: pb.AgentTool, kind: str) -> pb.AgenticSystemToolDefinition:
    """Return a tool by type in the RFC's form."""
    tool: _Typed = getattr(typed, kind)
    made = pb.AgenticSystemToolDefinition(input_shields=tool.input_shields, output_shields=tool.output_shields)
    if tool.HasField("remote_execution"):
        made.execution_config.CopyFrom(tool.remote_execution)
    if tool.HasField("requires_approval"):
        made.requires_approval = tool.requires_approval
    if isinstance(tool, pb.FunctionCallTool):
        made.tool_name.custom = tool.function_name
        made.description = tool.description
        for name, parameter in tool.parameters.items():
            made.parameters[name].CopyFrom(parameter)
    else:
        made.tool_name.builtin = _BUILTIN[kind]
    return made


def _typed(tool: AgentTool, typed: pb.AgentTool) -> AgentTool:
    """Return a tool with what its type alone can say."""
    code = typed.code_interpreter
    if typed.HasField("code_interpreter") and code.HasField("enable_inline_code_execution"):
        return replace(tool, runs_here=tool.runs_here and code.enable_inline_code_execution)
    return replace(tool, engine=typed.search.engine) if typed.HasField("search") else tool


def _defined(defined: pb.AgenticSystemToolDefinition, known: KnownTool | None) -> AgentTool:
    """Return a tool in the RFC's form with what is known of it."""
    remote = defined.execution_config if defined.HasField("execution_config") else None
    # a tool that is run by a call of the system's own is not the one that is known by this name
    counts = known if remote is None else None
    told = ToolDefinition(tool_name=defined.tool_name)
    if known is not None:
        told.CopyFrom(known.definition)
    if defined.HasField("description"):
        told.description = defined.description
    if defined.parameters:
        told.ClearField("parameters")
        for name, parameter in defined.parameters.items():
            told.parameters[name].CopyFrom(parameter)
    return AgentTool(
        definition=told,
        runs_here=remote is not None or known is not None or defined.tool_name.WhichOneof("name") == "builtin",
        idempotent=counts is not None and counts.idempotent,
        requires_approval=defined.requires_approval or (counts is not None and counts.requires_approval),
        execution_config=remote,
        input_shields=tuple(defined.input_shields),
        output_shields=tuple(defined.output_shields),
        server_id=None if counts is None else counts.server_id,
    )


def _of_server(mcp: pb.McpTool, known: KnownTool) -> AgentTool:
    return AgentTool(
        definition=known.definition,
        runs_here=True,
        idempotent=known.idempotent,
        requires_approval=mcp.requires_approval or known.requires_approval,
        input_shields=tuple(mcp.input_shields),
        output_shields=tuple(mcp.output_shields),
        server_id=mcp.server_id,
    )
