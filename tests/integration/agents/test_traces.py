"""Spans of turns and of the tools that they run, by OpenTelemetry's conventions for generative AI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from llamastack.agents.v1 import turn_pb2
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.tool_pb2 import ToolCall, ToolResponse
from mesh.interceptors.semantics import Semantics
from mesh.interceptors.telemetry import Telemetry
from mesh.server import Attachments
from mesh.telemetry.metrics import Metrics
from mesh.telemetry.tracing import Tracing
from services.agents.observed_tools import ObservedTools
from services.agents.tooling import ToolContext, ToolResult
from tests.integration.agents.scripted import SEARCH, asks, call, custom, says
from tests.integration.agents.serving import Played, Talk, ended, serving, tools

BROKEN = custom("broken")


async def fails(call: ToolCall, context: ToolContext) -> ToolResult:
    """Tell of an error."""
    response = ToolResponse(call_id=call.call_id, tool_name=call.tool_name, content=Content(text="no"))
    return ToolResult(response, is_error=True)


async def traced(folder: Path, ratio: float, *, capture: bool) -> tuple[Talk, turn_pb2.Turn, dict[str, ReadableSpan]]:
    """Run a turn that calls two tools, one of which fails; return its spans by their names."""
    exporter, around = InMemorySpanExporter(), Played()
    tracing = Tracing("test", ratio, SimpleSpanProcessor(exporter))
    around.tools.add(SEARCH)
    around.tools.add(BROKEN, fails)
    around.model.answers = [asks(call(SEARCH, "a", query="lakes"), call(BROKEN, "b")), says("There are many.")]
    observed: Any = ObservedTools(around.tools, tracing, capture=capture)
    around.tools = observed
    attachments = Attachments(
        outermost=[Telemetry(tracing, Metrics())], innermost=Semantics(tracing=tracing, capture=capture)
    )
    async with serving(around, f"sqlite:///{folder}/agents.db", attachments) as served:
        talk = await served.session(available_tools=tools(SEARCH, BROKEN))
        exporter.clear()
        turn = ended(await talk.turn("Which lakes?"))
    return talk, turn, {span.name: span for span in exporter.get_finished_spans()}


@pytest.mark.parametrize("capture", [False, True])
async def test_a_turn_and_its_tools_are_spans_that_tell_what_was_said_only_if_asked(
    tmp_path: Path, capture: bool
) -> None:
    talk, turn, spans = await traced(tmp_path, 1.0, capture=capture)
    rpc = "llamastack.agents.v1.AgenticSystemService/StreamCreateTurn"
    agent, search, broken = "invoke_agent", "execute_tool brave_search", "execute_tool broken"
    assert spans.keys() == {rpc, agent, search, broken}
    assert {name: span.kind for name, span in spans.items()} == {
        rpc: SpanKind.SERVER,
        agent: SpanKind.INTERNAL,
        search: SpanKind.INTERNAL,
        broken: SpanKind.INTERNAL,
    }
    ids = {span.context.span_id: name for name, span in spans.items() if span.context}
    parents = {name: span.parent and ids[span.parent.span_id] for name, span in spans.items()}
    assert parents == {rpc: None, agent: rpc, search: agent, broken: agent}
    where = {
        "gen_ai.provider.name": "altiplano",
        "gen_ai.conversation.id": talk.session_id,
        "llamastack.turn.id": turn.turn_id,
        "llamastack.tenant": "default",
    }
    said = {
        rpc: {},
        agent: {
            "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Which lakes?"}]}]',
            "gen_ai.output.messages": (
                '[{"role": "assistant", "parts": [{"type": "text", "content": "There are many."}], '
                '"finish_reason": "stop"}]'
            ),
        },
        search: {"gen_ai.tool.call.arguments": '{"query": "lakes"}', "gen_ai.tool.call.result": "brave_search says so"},
        broken: {"gen_ai.tool.call.arguments": "{}", "gen_ai.tool.call.result": "no"},
    }
    tool = where | {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.type": "extension",
        "gen_ai.tool.description": "A tool.",
    }
    wanted = {
        rpc: {
            "rpc.system.name": "grpc",
            "rpc.method": rpc,
            "rpc.response.status_code": "OK",
            "gen_ai.conversation.id": talk.session_id,
            "llamastack.tenant": "default",
        },
        agent: where
        | {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.id": talk.system_id,
            "gen_ai.response.finish_reasons": ("stop",),
        },
        search: tool | {"gen_ai.tool.name": "brave_search", "gen_ai.tool.call.id": "a"},
        broken: tool | {"gen_ai.tool.name": "broken", "gen_ai.tool.call.id": "b", "error.type": "tool_error"},
    }
    assert {name: dict(span.attributes or {}) for name, span in spans.items()} == {
        name: attributes | (said[name] if capture else {}) for name, attributes in wanted.items()
    }
    assert {name: span.status.status_code for name, span in spans.items()} == {
        rpc: StatusCode.UNSET,
        agent: StatusCode.UNSET,
        search: StatusCode.UNSET,
        broken: StatusCode.ERROR,
    }


async def test_an_unsampled_turn_makes_no_spans(tmp_path: Path) -> None:
    _, turn, spans = await traced(tmp_path, 0.0, capture=True)
    assert (turn.output_message.content.text, spans) == ("There are many.", {})
