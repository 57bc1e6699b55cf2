"""Spans of the tool calls of turns, around whatever runs them; see ``mesh.telemetry.conventions``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from opentelemetry.trace import Span, Status, StatusCode

from llamastack.common.v1.tool_pb2 import ToolCall, ToolName
from mesh.errors import MeshError
from mesh.telemetry import contents, conventions
from mesh.telemetry.tracing import Tracing
from services.agents.tooling import KnownTool, ToolContext, ToolResult, ToolRunner

_FAILED: Final = "tool_error"


class ObservedTools:
    """A runner of tools that makes an ``execute_tool`` span of every call of a sampled turn.

    Args:
        runner: what runs them.
        tracing: makes the spans.
        capture: whether arguments and results become attributes.
    """

    def __init__(self, runner: ToolRunner, tracing: Tracing, *, capture: bool) -> None:
        self._runner = runner
        self._tracing = tracing
        self._capture = capture

    async def find(self, tenant: str, name: ToolName) -> KnownTool | None:
        """Return the tool of that name, or None."""
        return await self._runner.find(tenant, name)

    async def of_server(self, tenant: str, server_id: str, allowed: Sequence[str]) -> list[KnownTool]:
        """Return the tools of an MCP server."""
        return await self._runner.of_server(tenant, server_id, allowed)

    async def forget(self, tenant: str, session_id: str) -> None:
        """Drop what tools keep for a session."""
        await self._runner.forget(tenant, session_id)

    async def run(self, call: ToolCall, context: ToolContext) -> ToolResult:
        """Run a call and return its result.

        Raises:
            MeshError: what the runner raises.
        """
        attributes = _described(call, context)
        with self._tracing.working(f"{conventions.EXECUTE} {attributes[conventions.TOOL]}", attributes) as span:
            if span is None:
                return await self._runner.run(call, context)
            if self._capture:
                span.set_attributes(contents.of_arguments(call.arguments))
            try:
                result = await self._runner.run(call, context)
            except MeshError as error:
                _fail(span, error.code.name)
                raise
            if result.is_error:
                _fail(span, _FAILED)
            if self._capture:
                span.set_attributes(contents.of_result(result.response.content))
            return result


def _described(call: ToolCall, context: ToolContext) -> dict[str, str]:
    found = {
        conventions.OPERATION: conventions.EXECUTE,
        conventions.PROVIDER: conventions.OURS,
        conventions.TOOL: conventions.tool_name(call.tool_name),
        conventions.KIND: conventions.EXTENSION,
        conventions.CALL: call.call_id,
        conventions.SESSION: context.session_id,
        conventions.TURN: context.turn_id,
        conventions.TENANT: context.tenant,
    }
    description = context.tool.definition.description
    return found | ({"gen_ai.tool.description": description} if description else {})


def _fail(span: Span, kind: str) -> None:
    span.set_attribute(conventions.ERROR, kind)
    span.set_status(Status(StatusCode.ERROR))
