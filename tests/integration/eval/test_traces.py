"""Spans of calls reach the record of the tenant whose calls they were."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from llamastack.agents.v1 import event_pb2, turn_pb2
from llamastack.agents.v1.agentic_system_service_pb2_grpc import (
    AgenticSystemServiceServicer,
    AgenticSystemServiceStub,
    add_AgenticSystemServiceServicer_to_server,
)
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, StopReason, UserMessage
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.datasets.v1.dataset_requests_pb2 import TraceSource
from llamastack.inference.v1 import inference_pb2
from llamastack.inference.v1.inference_service_pb2_grpc import (
    InferenceServiceServicer,
    InferenceServiceStub,
    add_InferenceServiceServicer_to_server,
)
from llamastack.observability.v1 import trace_pb2
from mesh.auth.config import AuthConfig
from mesh.client import Client, ClientConfig
from mesh.identity import Identity, acting_as
from mesh.json_text import loose_of
from mesh.server import Attachments
from mesh.telemetry import conventions
from mesh.telemetry.process import ProcessTelemetry, TelemetryConfig
from mesh.testing import mesh_of
from services.training.datasets.traces import row_of
from tests.integration.eval.record import Recorded, recording

CHAT = "llamastack.inference.v1.InferenceService/ChatCompletion"
ANN = Identity("user:ann", "acme", frozenset({"*:*"}))
BOB = Identity("user:bob", "bolt", frozenset({"*:*"}))


class Inference(InferenceServiceServicer):
    """Says hello."""

    async def ChatCompletion(self, request: Any, context: Any) -> inference_pb2.ChatCompletionResponse:
        """Answer."""
        message = CompletionMessage(
            content=Content(text="hello"), stop_reason=StopReason.STOP_REASON_END_OF_TURN, tool_calls=[]
        )
        usage = inference_pb2.Usage(prompt_tokens=7, completion_tokens=2)
        return inference_pb2.ChatCompletionResponse(completion_message=message, usage=usage)


class Agents(AgenticSystemServiceServicer):
    """Asks inference in each turn."""

    def __init__(self, inference: Any) -> None:
        self._inference = inference

    async def StreamCreateTurn(
        self, request: Any, context: Any
    ) -> AsyncIterator[event_pb2.AgenticSystemTurnResponseStreamChunk]:
        """Run a turn."""
        await self._inference.ChatCompletion(chat())
        chunk = event_pb2.AgenticSystemTurnResponseStreamChunk()
        chunk.event.payload.turn_start.turn_id = "turn-1"
        yield chunk


def chat() -> inference_pb2.ChatCompletionRequest:
    """Return a request."""
    message = Message(user=UserMessage(content=Content(text="a secret")))
    sampling = SamplingParams(temperature=0.5, max_tokens=9)
    return inference_pb2.ChatCompletionRequest(model="llama", messages=[message], sampling_params=sampling)


def turn() -> turn_pb2.AgenticSystemTurnCreateRequest:
    """Return a request for a turn."""
    user = UserMessage(content=Content(text="hi"))
    messages = [turn_pb2.TurnInputMessage(user=user)]
    return turn_pb2.AgenticSystemTurnCreateRequest(system_id="agent", session_id="session", messages=messages)


async def found(record: Recorded, **conditions: Any) -> Sequence[trace_pb2.Span]:
    """Return the spans of a search."""
    return list((await record.stub.SearchSpans(trace_pb2.SearchSpansRequest(**conditions))).spans)


async def test_the_spans_of_a_turn_are_found_by_its_session_and_by_nobody_else(tmp_path: Path) -> None:
    auth = AuthConfig(mesh_secrets=("s" * 32,))
    companion = auth.companion("test")
    assert companion is not None
    guarded = Attachments(authenticator=auth.services())
    async with recording(tmp_path, attachments=guarded, client=Client(ClientConfig(), [companion])) as record:
        config = TelemetryConfig(record=record.mesh.address, trace_ratio=1.0, auth=auth)
        telemetry = ProcessTelemetry(config, "test")
        watched = Attachments(
            authenticator=auth.services(), outermost=[telemetry.interceptor], innermost=telemetry.semantics
        )
        caller = Client(ClientConfig(), [companion, telemetry.companion])
        async with (
            mesh_of(
                {add_InferenceServiceServicer_to_server: Inference()}, attachments=watched, client=caller
            ) as behind,
            mesh_of(
                {add_AgenticSystemServiceServicer_to_server: Agents(behind.stub(InferenceServiceStub))},
                attachments=watched,
                client=Client(ClientConfig(), [companion]),
            ) as agents,
        ):
            with acting_as(ANN):
                [chunk async for chunk in agents.stub(AgenticSystemServiceStub).StreamCreateTurn(turn())]
            with acting_as(BOB):
                await behind.stub(InferenceServiceStub).ChatCompletion(chat())
        await asyncio.to_thread(telemetry.close)
        with acting_as(ANN):
            spans = await found(record, session_id="session")
        with acting_as(BOB):
            assert await found(record, session_id="session") == []
            assert {span.name for span in await found(record)} == {CHAT, "chat llama"}
    assert [span.name for span in spans] == [
        "llamastack.agents.v1.AgenticSystemService/StreamCreateTurn",
        "invoke_agent",
        CHAT,
        CHAT,
        "chat llama",
    ]
    assert {(span.trace_id, span.session_id, span.turn_id) for span in spans} == {
        (spans[0].trace_id, "session", "turn-1")
    }
    assert [span.parent_span_id for span in spans] == ["", *(span.span_id for span in spans[:-1])]
    described = {name: loose_of(value) for name, value in spans[-1].attributes.items() if name.startswith("gen_ai")}
    assert described == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "altiplano",
        "gen_ai.request.model": "llama",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 2,
        "gen_ai.response.finish_reasons": ["stop"],
    }
    assert all("secret" not in str(span) for span in spans)


async def test_what_was_said_is_in_spans_where_somebody_asks_for_it_and_makes_a_dialog(tmp_path: Path) -> None:
    async with recording(tmp_path) as record:
        config = TelemetryConfig(record=record.mesh.address, trace_ratio=1.0, capture_contents=True)
        telemetry = ProcessTelemetry(config, "test")
        watched = Attachments(outermost=[telemetry.interceptor], innermost=telemetry.semantics)
        async with mesh_of({add_InferenceServiceServicer_to_server: Inference()}, attachments=watched) as mesh:
            await mesh.stub(InferenceServiceStub).ChatCompletion(chat())
        await asyncio.to_thread(telemetry.close)
        rpc, span = await found(record)
    assert row_of(rpc, TraceSource()) is None
    found_in = row_of(span, TraceSource(models=["llama"]))
    assert found_in is not None
    assert found_in[1]["dialog"] == [
        {"role": "user", "content": "a secret"},
        {"role": "assistant", "content": "hello", "stop_reason": "end_of_turn", "tool_calls": []},
    ]


async def test_a_span_of_a_run_that_is_not_there_takes_no_other_one_with_it(tmp_path: Path) -> None:
    async with recording(tmp_path) as record:
        run = await record.run((await record.experiment()).id)
        telemetry = ProcessTelemetry(TelemetryConfig(record=record.mesh.address, trace_ratio=1.0), "test")
        for run_id in ("elsewhere", run.id):
            attributes = {conventions.TENANT: "default", conventions.RUN: run_id}
            with telemetry.tracing.serving(f"of {run_id}", {}, attributes):
                pass
        await asyncio.to_thread(telemetry.close)
        spans = await found(record)
    assert [(span.name, span.run_id) for span in spans] == [("of elsewhere", ""), (f"of {run.id}", run.id)]


async def test_what_nobody_samples_leaves_no_span(tmp_path: Path) -> None:
    async with recording(tmp_path) as record:
        config = TelemetryConfig(record=record.mesh.address, trace_ratio=0.0)
        telemetry = ProcessTelemetry(config, "test")
        watched = Attachments(outermost=[telemetry.interceptor])
        async with mesh_of({add_InferenceServiceServicer_to_server: Inference()}, attachments=watched) as mesh:
            await mesh.stub(InferenceServiceStub).ChatCompletion(chat())
        await asyncio.to_thread(telemetry.close)
        assert await found(record) == []
