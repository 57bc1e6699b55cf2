"""Asks for a model of an OpenAI-compatible server through a service that forwards to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import Message, UserMessage
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from mesh.errors import MeshError, from_rpc
from mesh.testing import Mesh
from services.inference.catalog import Catalog, Workshop
from services.inference.engine import Engine, ModelKind
from services.inference.model_spec import ModelSpec
from services.inference.remote.key import Key
from services.inference.remote.openai_model import OpenAIModel
from services.inference.remote.openai_server import http_client
from services.inference.sources import Sources
from tests.integration.inference.workers import NOW, serving

if TYPE_CHECKING:
    from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub


@asynccontextmanager
async def front_of(
    *urls: str, folder: Path, kind: ModelKind = ModelKind.LLM, key: Key | None = None
) -> AsyncIterator[Mesh]:
    """Serve the servers' model ``theirs`` as ``ours``."""

    def engine(spec: ModelSpec, source: str | None) -> Engine:
        raise AssertionError("nothing runs here")

    def remote(spec: ModelSpec) -> OpenAIModel:
        return OpenAIModel(spec, key or Key(None, ()), http_client)

    catalog = Catalog(
        Workshop(engine, remote, lambda spec, source, info: None), Sources(folder), folder / "models.json", lambda: NOW
    )
    async with serving(catalog, [ModelSpec("ours", kind, addresses=urls, remote_model_id="theirs")]) as mesh:
        yield mesh


def chat(*messages: Message, **settings: Any) -> pb.ChatCompletionRequest:
    asked = messages or (Message(user=UserMessage(content=Content(text="hi"))),)
    return pb.ChatCompletionRequest(model="ours", messages=asked, **settings)


def text(**settings: Any) -> pb.CompletionRequest:
    params = SamplingParams(max_tokens=8)
    return pb.CompletionRequest(
        model="ours",
        content=Content(text="Once"),
        sampling_params=params,
        **settings,
    )


async def failed(call: Any) -> MeshError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return from_rpc(raised.value)


@asynccontextmanager
async def model_of(
    *urls: str, folder: Path, kind: ModelKind = ModelKind.LLM, key: Key | None = None
) -> AsyncIterator[InferenceServiceAsyncStub]:
    """Serve the servers' model ``theirs`` as ``ours`` and give a stub for it."""
    async with front_of(*urls, folder=folder, kind=kind, key=key) as mesh:
        yield mesh.stub(InferenceServiceStub)
