"""What a server with models counts by the conventions for generative AI, whether calls are sampled or not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from llamastack.common.v1.content_pb2 import Content
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import (
    InferenceServiceServicer,
    InferenceServiceStub,
    add_InferenceServiceServicer_to_server,
)
from mesh.errors import ResourceNotFound
from mesh.interceptors.semantics import Semantics
from mesh.interceptors.telemetry import Telemetry
from mesh.server import Attachments
from mesh.telemetry.metrics import Metrics
from mesh.telemetry.process import ProcessTelemetry, TelemetryConfig
from mesh.telemetry.tracing import Tracing
from mesh.testing import mesh_of

BY = {"gen_ai_operation_name": "text_completion", "gen_ai_provider_name": "altiplano"}


class Inference(InferenceServiceServicer):
    """Knows one model."""

    async def StreamCompletion(self, request: Any, context: Any) -> AsyncIterator[pb.CompletionResponseStreamChunk]:
        """Continue a text in two pieces."""
        if request.model != "llama":
            raise ResourceNotFound("model", request.model)
        for text in ("", "a", "b"):
            yield pb.CompletionResponseStreamChunk(delta=text)
        yield pb.CompletionResponseStreamChunk(usage=pb.Usage(prompt_tokens=7, completion_tokens=2))

    async def StreamBatchCompletion(self, request: Any, context: Any) -> AsyncIterator[pb.BatchProgress]:
        """Continue each text by one token."""
        for index in range(len(request.content_batch)):
            answer = pb.ChatCompletionResponse(usage=pb.Usage(prompt_tokens=5, completion_tokens=1))
            yield pb.BatchProgress(index=index, response=answer)


async def test_a_model_s_work_is_a_span_of_its_own_within_the_one_of_its_call() -> None:
    exporter = InMemorySpanExporter()
    tracing = Tracing("test", 1.0, SimpleSpanProcessor(exporter))
    attachments = Attachments(outermost=[Telemetry(tracing, Metrics())], innermost=Semantics(tracing=tracing))
    text = Content(text="x")
    async with mesh_of({add_InferenceServiceServicer_to_server: Inference()}, attachments=attachments) as mesh:
        stub = mesh.stub(InferenceServiceStub)
        [chunk async for chunk in stub.StreamCompletion(pb.CompletionRequest(model="llama", content=text))]
        with pytest.raises(grpc.aio.AioRpcError):
            [chunk async for chunk in stub.StreamCompletion(pb.CompletionRequest(model="none", content=text))]
    told = [(span.name, span.kind, span.status.status_code) for span in exporter.get_finished_spans()]
    rpc = ("llamastack.inference.v1.InferenceService/StreamCompletion", SpanKind.SERVER, StatusCode.UNSET)
    assert told == [
        ("text_completion llama", SpanKind.INTERNAL, StatusCode.UNSET),
        rpc,
        ("text_completion none", SpanKind.INTERNAL, StatusCode.ERROR),
        rpc,
    ]
    work, call, failed, _ = exporter.get_finished_spans()
    assert work.parent is not None
    assert work.parent.span_id == call.get_span_context().span_id  # type: ignore[union-attr]  # it has ended
    about = {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "altiplano",
        "gen_ai.request.stream": True,
        "llamastack.tenant": "default",
    }
    attributes = dict(work.attributes or {})
    assert attributes.pop("gen_ai.response.time_to_first_chunk")
    assert attributes == about | {
        "gen_ai.request.model": "llama",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 2,
    }
    assert failed.attributes == about | {"gen_ai.request.model": "none", "error.type": "NOT_FOUND"}


async def test_models_are_counted_whether_or_not_anybody_traces() -> None:
    telemetry = ProcessTelemetry(TelemetryConfig(trace_ratio=0.0), "test")
    attachments = Attachments(outermost=[telemetry.interceptor], innermost=telemetry.semantics)
    text = Content(text="x")

    def told(name: str, model: str = "llama", **labels: str) -> float | None:
        wanted = {**BY, "gen_ai_request_model": model, **labels}
        return telemetry.metrics.registry.get_sample_value(name, wanted)

    async with mesh_of({add_InferenceServiceServicer_to_server: Inference()}, attachments=attachments) as mesh:
        stub = mesh.stub(InferenceServiceStub)
        with pytest.raises(grpc.aio.AioRpcError):
            [chunk async for chunk in stub.StreamCompletion(pb.CompletionRequest(model="made-up", content=text))]
        assert (
            len([chunk async for chunk in stub.StreamCompletion(pb.CompletionRequest(model="llama", content=text))])
            == 4
        )
        batch = pb.BatchCompletionRequest(model="llama", content_batch=[text, text, text])
        assert len([item async for item in stub.StreamBatchCompletion(batch)]) == 3
    telemetry.close()
    assert told("gen_ai_server_request_duration_seconds_count", error_type="") == 2
    assert told("gen_ai_server_request_duration_seconds_count", "_OTHER", error_type="NOT_FOUND") == 1
    assert told("gen_ai_server_time_to_first_token_seconds_count") == 1
    assert told("gen_ai_server_time_per_output_token_seconds_count") == 1
    assert told("gen_ai_client_token_usage_sum", gen_ai_token_type="input") == 7 + 15
    assert told("gen_ai_client_token_usage_sum", gen_ai_token_type="output") == 2 + 3
