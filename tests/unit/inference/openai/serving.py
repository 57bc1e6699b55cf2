"""The OpenAI-compatible service over scripted engines, on a real channel."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest

from llamastack.openai.v1 import chat_message_pb2 as messages
from llamastack.openai.v1.chat_tool_pb2 import ChatTool, FunctionDefinition
from llamastack.openai.v1.openai_service_pb2_grpc import OpenAIServiceStub, add_OpenAIServiceServicer_to_server
from mesh.errors import MeshError, from_rpc
from mesh.json_text import value_of
from mesh.testing import Mesh, mesh_of
from services.inference.admission import Admission, AdmissionLimits
from services.inference.openai.models import ModelList
from services.inference.openai.servicer import OpenAIServicer
from services.inference.router import Router
from tests.unit.inference.fakes import NOW, ScriptedEngine, ready_catalog

if TYPE_CHECKING:
    from llamastack.openai.v1.openai_service_pb2_grpc import OpenAIServiceAsyncStub

CREATED = int(NOW.timestamp())
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Where."}, "days": {"type": "integer"}},
    "required": ["city"],
}


@asynccontextmanager
async def serving(
    folder: Path, engine: ScriptedEngine, limits: AdmissionLimits | None = None
) -> AsyncIterator[OpenAIServiceAsyncStub]:
    """Serve one engine as the model ``m`` and give a stub."""
    async with openai_mesh(folder, {"m": engine}, limits) as mesh:
        yield mesh.stub(OpenAIServiceStub)


@asynccontextmanager
async def openai_mesh(
    folder: Path, engines: dict[str, ScriptedEngine], limits: AdmissionLimits | None = None
) -> AsyncIterator[Mesh]:
    """Serve engines as models by these names."""
    catalog = await ready_catalog(folder, engines)
    router, admission = Router(catalog, NOW.timestamp), Admission(limits or AdmissionLimits())
    servicer = OpenAIServicer(router, ModelList(catalog), admission)
    async with mesh_of({add_OpenAIServiceServicer_to_server: servicer}) as mesh:
        yield mesh
    await catalog.stop()


async def failure(call: Any) -> MeshError:
    """Return the error that a unary call or the reading of a stream ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await (_read(call) if isinstance(call, grpc.aio.UnaryStreamCall) else call)
    return from_rpc(raised.value)


async def _read(stream: AsyncIterable[Any]) -> None:
    async for _ in stream:
        pass


def user(text: str) -> messages.ChatMessage:
    """Return a user's message."""
    return messages.ChatMessage(user=messages.UserMessage(content=messages.ChatContent(text=text)))


def tool(name: str = "weather", schema: dict[str, Any] | None = None) -> ChatTool:
    """Return a tool."""
    parameters = value_of(schema or WEATHER).object_value
    return ChatTool(function=FunctionDefinition(name=name, description="Tells.", parameters=parameters))


def call_text(name: str = "weather", /, **arguments: Any) -> str:
    """Return a call as the model writes it."""
    return json.dumps({"type": "function", "name": name, "parameters": arguments})


def in_pieces(text: str, size: int = 3) -> list[str]:
    """Return a text in the pieces that an engine might give."""
    return [text[at : at + size] for at in range(0, len(text), size)]
