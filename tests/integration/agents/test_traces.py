"""Spans of turns and of the tools that they run, by OpenTelemetry's conventions for generative AI."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc.aio
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from llamastack.agents.v1 import turn_pb2
from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceStub
from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponseStreamChunk as Chunk
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.tool_pb2 import ToolCall, ToolResponse
from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from llamastack.models.v1.models_service_pb2_grpc import add_ModelsServiceServicer_to_server
from llamastack.observability.v1.trace_pb2 import SearchSpansRequest
from mesh.client import Client, ClientConfig
from mesh.errors import BackendUnavailable
from mesh.interceptors.semantics import Semantics
from mesh.interceptors.telemetry import Telemetry
from mesh.server import AddToServer, Attachments
from mesh.telemetry.metrics import Metrics
from mesh.telemetry.tracing import Tracing
from mesh.testing import mesh_of
from services.agents.observed_tools import ObservedTools
from services.agents.tooling import ToolContext, ToolResult
from tests.integration.agents.scripted import SEARCH, Said, ScriptedInference, asks, call, custom, says
from tests.integration.agents.serving import Observed, Played, Talk, begun, ended, serving, tools, until
from tests.integration.eval.record import recording
from tests.integration.security.processes import process, until_it_serves
from tests.ports import free_address

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
    attachments = Attachments(outermost=[Telemetry(tracing, Metrics())], innermost=Semantics(capture=capture))
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
    agent, search, broken = f"invoke_agent {talk.system_id}", "execute_tool brave_search", "execute_tool broken"
    assert spans.keys() == {agent, search, broken}
    assert {name: span.kind for name, span in spans.items()} == {
        agent: SpanKind.SERVER,
        search: SpanKind.INTERNAL,
        broken: SpanKind.INTERNAL,
    }
    root = spans[agent].get_span_context()
    assert root is not None
    assert [span.parent.span_id for span in (spans[search], spans[broken]) if span.parent] == [root.span_id] * 2
    where = {
        "gen_ai.provider.name": "altiplano",
        "gen_ai.conversation.id": talk.session_id,
        "llamastack.turn.id": turn.turn_id,
        "llamastack.tenant": "default",
    }
    said = {
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
        agent: where
        | {
            "rpc.system.name": "grpc",
            "rpc.method": "llamastack.agents.v1.AgenticSystemService/StreamCreateTurn",
            "rpc.response.status_code": "OK",
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
        agent: StatusCode.UNSET,
        search: StatusCode.UNSET,
        broken: StatusCode.ERROR,
    }


async def test_an_unsampled_turn_makes_no_spans(tmp_path: Path) -> None:
    _, turn, spans = await traced(tmp_path, 0.0, capture=True)
    assert (turn.output_message.content.text, spans) == ("There are many.", {})


@dataclass
class Record:
    """The spans of one process after the other."""

    ratio: float = 1.0
    capture: bool = False
    exporters: list[InMemorySpanExporter] = field(default_factory=list)

    def watching(self, around: Played) -> tuple[Attachments, Observed]:
        """Return what observes one more process, and have its tools observed as well."""
        self.exporters.append(InMemorySpanExporter())
        tracing = Tracing("test", self.ratio, SimpleSpanProcessor(self.exporters[-1]))
        observed: Any = ObservedTools(around.tools, tracing, capture=self.capture)
        around.tools = observed
        attachments = Attachments(outermost=[Telemetry(tracing, Metrics())], innermost=Semantics(capture=self.capture))
        return attachments, Observed(tracing, self.capture)

    def spans(self, process: int) -> dict[str, ReadableSpan]:
        """Return the spans of a process by the names of their RPCs, or by their own."""
        finished = self.exporters[process].get_finished_spans()
        named = {str((span.attributes or {}).get("rpc.method", span.name)): span for span in finished}
        return {name.rpartition("/")[2]: span for name, span in named.items()}


def place(span: ReadableSpan) -> tuple[str, str, str | None]:
    """Return the ids of a span: trace, span, parent."""
    found = span.get_span_context()
    assert found is not None
    parent = None if span.parent is None else f"{span.parent.span_id:016x}"
    return f"{found.trace_id:032x}", f"{found.span_id:016x}", parent


async def left_and_gone_on_with(folder: Path, record: Record, *answers: Said) -> tuple[Talk, list[Chunk]]:
    """Have a turn left in the middle of its first answer and gone on with elsewhere; return its events from there."""
    url, around = f"sqlite:///{folder}/agents.db", Played()
    around.tools.add(SEARCH)
    around.model.answers = [says("half", wait=asyncio.Event()), *answers]
    scripted = around.tools
    attachments, observed = record.watching(around)
    async with serving(around, url, attachments, observed) as first:
        talk = await first.session(available_tools=tools(SEARCH))
        stream = asyncio.ensure_future(talk.turn("Which lakes?", turn_id="mine"))
        await until(lambda: len(around.model.requests) == 1)
    await asyncio.gather(stream, return_exceptions=True)
    around.tools = scripted
    attachments, observed = record.watching(around)
    async with serving(around, url, attachments, observed) as second:
        elsewhere = Talk(second.stub, talk.system_id, talk.session_id)
        events: list[Chunk] = []
        with suppress(grpc.aio.AioRpcError):
            async for chunk in elsewhere.stub.StreamResumeTurn(elsewhere.resume("mine")):
                events.append(chunk)
        return talk, events


@pytest.mark.parametrize("capture", [False, True])
async def test_whoever_goes_on_with_a_turn_goes_on_in_its_trace(tmp_path: Path, capture: bool) -> None:
    record = Record(capture=capture)
    answers = asks(call(SEARCH, "a", query="lakes")), says("There are many.")
    talk, events = await left_and_gone_on_with(tmp_path, record, *answers)
    assert ended(events).output_message.content.text == "There are many."
    agent = f"invoke_agent {talk.system_id}"
    resumed, search = record.spans(1)[agent], record.spans(1)["execute_tool brave_search"]
    trace, left, _ = place(record.spans(0)["StreamCreateTurn"])
    assert place(resumed)[::2] == (trace, left)
    assert place(search)[::2] == (trace, place(resumed)[1])
    said = {
        "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Which lakes?"}]}]',
        "gen_ai.output.messages": (
            '[{"role": "assistant", "parts": [{"type": "text", "content": "There are many."}], '
            '"finish_reason": "stop"}]'
        ),
    }
    assert dict(resumed.attributes or {}) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "altiplano",
        "gen_ai.agent.id": talk.system_id,
        "gen_ai.conversation.id": talk.session_id,
        "llamastack.turn.id": "mine",
        "llamastack.turn.attempt": 2,
        "llamastack.tenant": "default",
        "gen_ai.response.finish_reasons": ("stop",),
        **(said if capture else {}),
    }
    assert (resumed.kind, resumed.status.status_code) == (SpanKind.INTERNAL, StatusCode.UNSET)


async def test_a_turn_that_fails_where_it_is_gone_on_with_says_so_in_its_span(tmp_path: Path) -> None:
    record = Record()
    talk, _ = await left_and_gone_on_with(tmp_path, record, says(failure=BackendUnavailable("the model is away")))
    resumed = record.spans(1)[f"invoke_agent {talk.system_id}"]
    assert place(resumed)[0] == place(record.spans(0)["StreamCreateTurn"])[0]
    assert resumed.status.status_code is StatusCode.ERROR
    assert (resumed.attributes or {})["error.type"] == "UNAVAILABLE"


async def test_a_turn_that_was_not_sampled_is_not_where_it_is_gone_on_with(tmp_path: Path) -> None:
    record = Record(ratio=0.0)
    _, events = await left_and_gone_on_with(tmp_path, record, asks(call(SEARCH)), says("There are many."))
    assert ended(events).output_message.content.text == "There are many."
    assert [record.spans(0), record.spans(1)] == [{}, {}]


async def test_a_turn_that_a_person_allows_to_go_on_stays_in_its_trace(tmp_path: Path) -> None:
    record, around = Record(), Played()
    around.tools.add(SEARCH, requires_approval=True)
    around.model.answers = [asks(call(SEARCH)), says("done")]
    attachments, observed = record.watching(around)
    async with serving(around, f"sqlite:///{tmp_path}/agents.db", attachments, observed) as served:
        talk = await served.session(available_tools=tools(SEARCH))
        last = await talk.stub.CreateTurn(talk.request("hi", turn_id="mine"))
        await talk.decide("mine", "one", approve=True)
        ended(await talk.resumed("mine", last.sequence))
    spans = record.spans(0)
    first, resumed = spans["CreateTurn"], spans[f"invoke_agent {talk.system_id}"]
    search = spans["execute_tool brave_search"]
    assert place(resumed)[::2] == place(first)[:2]
    assert place(search)[::2] == (place(first)[0], place(resumed)[1])
    assert resumed.status.status_code is StatusCode.UNSET


async def test_the_record_finds_by_its_session_what_was_done_after_a_crash(tmp_path: Path) -> None:
    trace, model = uuid4().hex, ScriptedInference()
    model.answers = [says("half", wait=asyncio.Event()), asks(call(SEARCH, query="lakes")), says("There are many.")]
    address, log = free_address(), tmp_path / "agents.log"
    peers: dict[AddToServer, Any] = {
        add_InferenceServiceServicer_to_server: model,
        add_ModelsServiceServicer_to_server: model,
    }
    async with recording(tmp_path) as record, mesh_of(peers) as behind:
        settings = {
            "ALTIPLANO_AGENTS_BIND": address,
            "ALTIPLANO_AGENTS_DATA": str(tmp_path / "agents"),
            "ALTIPLANO_INFERENCE_ADDRESS": behind.address,
            "ALTIPLANO_OBSERVABILITY_ADDRESS": record.mesh.address,
            # what belongs to no trace that somebody asked for is not kept
            "ALTIPLANO_TRACE_RATIO": "0",
        }
        async with process("services.agents", log, settings) as killed, Client(ClientConfig()) as client:
            await until_it_serves(address, killed, log)
            stub = AgenticSystemServiceStub(client.channel(address))
            talk = await begun(stub, available_tools=tools(SEARCH))
            sampled = (("traceparent", f"00-{trace}-{uuid4().hex[:16]}-01"),)
            stream = stub.StreamCreateTurn(talk.request("Which lakes?", turn_id="mine"), metadata=sampled)
            await until(lambda: len(model.requests) == 1)
            killed.send_signal(signal.SIGKILL)
            await killed.wait()
            stream.cancel()
        async with process("services.agents", log, settings) as second, Client(ClientConfig()) as client:
            await until_it_serves(address, second, log)
            talk = Talk(AgenticSystemServiceStub(client.channel(address)), talk.system_id, talk.session_id)
            assert ended(await talk.resumed("mine")).output_message.content.text == "There are many."
        # a process that ends in order sends its last spans
        found = (await record.stub.SearchSpans(SearchSpansRequest(session_id=talk.session_id))).spans
    names = Counter(span.name for span in found)
    assert {(span.trace_id, span.turn_id) for span in found} == {(trace, "mine")}
    assert names[f"invoke_agent {talk.system_id}"] == 1
    assert names["execute_tool brave_search"] == 1
    assert names["llamastack.inference.v1.InferenceService/StreamChatCompletion"] == 2
