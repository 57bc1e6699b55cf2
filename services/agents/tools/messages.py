"""The domain's values as messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from llamastack.common.v1.content_pb2 import Attachment, Content, ContentPart, ContentParts
from llamastack.common.v1.tool_pb2 import ToolDefinition
from llamastack.common.v1.value_pb2 import JsonObject
from llamastack.tools.v1 import mcp_server_pb2, tool_pb2
from mesh.json_text import value_of
from services.agents.tools.mcp_servers import Offer, Registered
from services.agents.tools.mcp_tool import SEPARATOR
from services.agents.tools.tool import Answer, Description, Kind, Status, Tool, tool_name

_KINDS: Final = {
    Kind.BUILTIN: tool_pb2.TOOL_KIND_BUILTIN,
    Kind.REST: tool_pb2.TOOL_KIND_REST,
    Kind.MCP: tool_pb2.TOOL_KIND_MCP,
}
_STATUSES: Final = {
    Status.COMPLETED: tool_pb2.TOOL_RUN_STATUS_COMPLETED,
    Status.ERROR: tool_pb2.TOOL_RUN_STATUS_ERROR,
    Status.TIMEOUT: tool_pb2.TOOL_RUN_STATUS_TIMEOUT,
}


def tool(known: Tool) -> tool_pb2.Tool:
    """Return a tool as it is shown; secret headers are not part of its configuration."""
    described, reason = known.description, known.unavailable_reason
    return tool_pb2.Tool(
        tool_name=tool_name(described.name),
        kind=_KINDS[described.kind],
        description=described.text,
        parameters=described.parameters,
        input_schema=None if described.schema is None else _object(described.schema),
        execution_config=described.execution_config,
        server_id=described.server_id,
        idempotent=described.idempotent,
        requires_approval=described.requires_approval,
        available=reason is None,
        unavailable_reason=reason,
        timeout=duration(described.timeout_s),
        created_at=None if described.created_at is None else _timestamp(described.created_at),
    )


def definition(described: Description) -> ToolDefinition:
    """Return what a model is told of a tool."""
    return ToolDefinition(
        tool_name=tool_name(described.name), description=described.text or None, parameters=described.parameters
    )


def is_kind(known: Tool, kind: tool_pb2.ToolKind.ValueType) -> bool:
    """Return whether a tool is of a kind; any is of the one that is not stated."""
    return kind in {tool_pb2.TOOL_KIND_UNSPECIFIED, _KINDS[known.description.kind]}


def server(known: Registered, offer: Offer | None) -> mcp_server_pb2.McpServer:
    """Return a server with what is known of it."""
    state = mcp_server_pb2.MCP_SERVER_STATE_PENDING
    if offer is not None:
        ready, away = mcp_server_pb2.MCP_SERVER_STATE_READY, mcp_server_pb2.MCP_SERVER_STATE_UNREACHABLE
        state = ready if offer.problem is None else away
    return mcp_server_pb2.McpServer(
        server_id=known.server_id,
        transport=known.spec.transport,
        state=state,
        state_message=None if offer is None else offer.problem,
        tool_names=[f"{known.server_id}{SEPARATOR}{each.name}" for each in (offer.tools if offer else ())],
        created_at=_timestamp(known.created_at),
    )


def content(answer: Answer) -> Content:
    """Return a result as a model reads it: one piece alone, or several in order."""
    parts = [_part(part) for part in answer.parts]
    if len(parts) == 1:
        part = parts[0]
        return Content(attachment=part.attachment) if part.HasField("attachment") else Content(text=part.text)
    return Content(parts=ContentParts(parts=parts))


def status(answer: Answer) -> tool_pb2.ToolRunStatus.ValueType:
    """Return how a run ended."""
    return _STATUSES[answer.status]


def duration(seconds: float) -> Duration:
    """Return a span of time."""
    made = Duration()
    made.FromNanoseconds(int(seconds * 1e9))
    return made


def _part(part: str | Attachment) -> ContentPart:
    return ContentPart(text=part) if isinstance(part, str) else ContentPart(attachment=part)


def _object(value: Mapping[str, Any]) -> JsonObject:
    return JsonObject(fields={name: value_of(each) for name, each in value.items()})


def _timestamp(seconds: float) -> Timestamp:
    made = Timestamp()
    made.FromMicroseconds(int(seconds * 1_000_000))
    return made
