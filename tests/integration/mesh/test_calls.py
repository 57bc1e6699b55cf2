"""A call from a stub through every interceptor to a servicer and back, over a real connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

from llamastack.common.v1.content_pb2 import Content
from llamastack.inference.v1.inference_pb2 import (
    CompletionRequest,
    CompletionResponse,
    CompletionResponseStreamChunk,
    Usage,
)
from llamastack.inference.v1.inference_service_pb2_grpc import (
    InferenceServiceServicer,
    InferenceServiceStub,
    add_InferenceServiceServicer_to_server,
)
from mesh.errors import ResourceNotFound, from_rpc, to_status
from mesh.testing import mesh_of


class Echo(InferenceServiceServicer):
    """Answers with the length of the model's name; some names make it fail."""

    async def Completion(self, request: CompletionRequest, context: Any) -> CompletionResponse:
        if request.model == "lost":
            raise ResourceNotFound("model", request.model)
        if request.model == "broken":
            raise ValueError("/secret/path")
        return CompletionResponse(usage=Usage(prompt_tokens=len(request.model)))

    async def StreamCompletion(
        self, request: CompletionRequest, context: Any
    ) -> AsyncIterator[CompletionResponseStreamChunk]:
        for word in ("a", "b"):
            yield CompletionResponseStreamChunk(delta=word)
        if request.model == "lost":
            raise ResourceNotFound("model", request.model)


def echo() -> Echo:
    return Echo()  # type: ignore[abstract]  # the other RPCs are left out on purpose


def request(model: str) -> CompletionRequest:
    return CompletionRequest(model=model, content=Content(text="hi"))


async def test_a_unary_call_is_answered() -> None:
    async with mesh_of({add_InferenceServiceServicer_to_server: echo()}) as mesh:
        answer = await mesh.stub(InferenceServiceStub).Completion(request("abc"))
    assert answer == CompletionResponse(usage=Usage(prompt_tokens=3))


async def test_a_stream_arrives_in_order_and_an_error_after_it_is_restored() -> None:
    async with mesh_of({add_InferenceServiceServicer_to_server: echo()}) as mesh:
        call = mesh.stub(InferenceServiceStub).StreamCompletion(request("lost"))
        got = [(await anext(aiter(call))).delta for _ in range(2)]
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await anext(aiter(call))
    assert got == ["a", "b"]
    error = from_rpc(failure.value)
    assert isinstance(error, ResourceNotFound)
    assert to_status(error) == to_status(ResourceNotFound("model", "lost"))


async def test_a_defect_shows_an_id_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    async with mesh_of({add_InferenceServiceServicer_to_server: echo()}) as mesh:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await mesh.stub(InferenceServiceStub).Completion(request("broken"))
    error = from_rpc(failure.value)
    assert failure.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(failure.value.details())
    assert "Traceback" not in str(to_status(error))
    assert error.metadata["error_id"] in caplog.text
    assert "/secret/path" in caplog.text
