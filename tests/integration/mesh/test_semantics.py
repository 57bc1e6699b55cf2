"""What a server with models counts by the conventions for generative AI, whether calls are sampled or not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest

from llamastack.common.v1.content_pb2 import Content
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import (
    InferenceServiceServicer,
    InferenceServiceStub,
    add_InferenceServiceServicer_to_server,
)
from mesh.errors import ResourceNotFound
from mesh.server import Attachments
from mesh.telemetry.process import ProcessTelemetry, TelemetryConfig
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
