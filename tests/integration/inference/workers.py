"""Inference workers with an engine that does as it is told, on real servers, and wires to them that can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llamastack.common.v1.message_pb2 import StopReason
from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from llamastack.models.v1.models_service_pb2_grpc import add_ModelsServiceServicer_to_server
from llamastack.openai.v1.openai_service_pb2_grpc import add_OpenAIServiceServicer_to_server
from mesh.addresses import Resolve, resolve
from mesh.client import Client, ClientConfig
from mesh.errors import BackendUnavailable, NotSupported, WrongState
from mesh.server import AddToServer
from mesh.testing import Mesh, mesh_of
from services.inference.admission import Admission, AdmissionLimits
from services.inference.backend import Remote
from services.inference.catalog import Catalog, Workshop
from services.inference.engine import (
    Delta,
    Engine,
    EngineInfo,
    FinishReason,
    GenerateRequest,
    ModelKind,
    Scores,
    TextInput,
    Usage,
    Vectors,
)
from services.inference.model_spec import ModelSpec
from services.inference.models_servicer import ModelsServicer
from services.inference.openai.models import ModelList
from services.inference.openai.servicer import OpenAIServicer
from services.inference.prompt.plain_stream import PlainStream
from services.inference.prompt.prompt_format import Conversation, Prompt
from services.inference.remote.mesh import MeshModel
from services.inference.remote.naming import PACE, Pace
from services.inference.router import Router
from services.inference.servicer import InferenceServicer
from services.inference.sources import Sources

NOW = datetime(2024, 8, 20, tzinfo=UTC)


class PlainFormat:
    """The texts of the messages, one per line."""

    def encode(self, conversation: Conversation) -> Prompt:
        text = "\n".join(message.user.content.text for message in conversation.messages)
        return Prompt(text, tuple(text.encode()), (), ())

    def decoder(self, conversation: Conversation) -> PlainStream:
        return PlainStream(())

    def stop_reason(self, finish_reason: str | None, stop_token_id: int | None) -> StopReason.ValueType:
        return StopReason.STOP_REASON_END_OF_TURN


@dataclass
class ScriptedEngine:
    """Answers with its name and then its words, one delta each.

    ``hold_at`` is the number of the delta that it does not give before ``release`` is set; a request that comes there
    puts the engine's name into ``held``. ``broken`` makes it refuse.
    """

    name: str
    words: Sequence[str] = (" says", " hello")
    hold_at: int | None = None
    broken: bool = False
    dead: bool = False
    release: asyncio.Event = field(default_factory=asyncio.Event)
    held: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[GenerateRequest] = field(default_factory=list)
    inside: int = 0

    async def start(self) -> EngineInfo:
        return EngineInfo("scripted", ModelKind.LLM, 128, "fp32")

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Delta]:
        self.requests.append(request)
        if self.broken:
            raise BackendUnavailable("the engine is being restarted")
        self.inside += 1
        try:
            texts = [self.name, *self.words]
            given = "".join(texts) if not request.stream else ""
            for position, text in enumerate(texts):
                if position == self.hold_at:
                    self.held.put_nowait(self.name)
                    await self.release.wait()
                last = position == len(texts) - 1
                delta = Delta(0, given or text, (position,), Usage(1, position + 1))
                if last:
                    delta.finish = FinishReason.STOP
                if last or request.stream:
                    yield delta
        finally:
            self.inside -= 1
            self.ended.set()

    async def detokenize(self, token_ids: Sequence[int]) -> str:
        return bytes(token_ids).decode()

    async def embed(self, inputs: Sequence[TextInput]) -> Vectors:
        raise NotSupported("this model does not embed")

    async def score(self, texts: Sequence[str]) -> Sequence[Scores]:
        raise NotSupported("this model does not score")

    async def load_adapter(self, name: str, folder: str) -> int:
        raise WrongState("no adapters")

    async def unload_adapter(self, name: str) -> None:
        raise WrongState("no adapters")

    async def check(self) -> None:
        if self.dead:
            raise BackendUnavailable("the engine has died")

    def running(self) -> int:
        return self.inside

    def cache_use(self) -> float:
        return 0.0

    async def stop(self) -> None:
        self.release.set()


@asynccontextmanager
async def serving(catalog: Catalog, specs: Sequence[ModelSpec]) -> AsyncIterator[Mesh]:
    """Serve a catalog with these models, once they are ready."""
    try:
        for spec in specs:
            async for _ in catalog.watch(catalog.register(spec)):
                pass
        router, admission = Router(catalog, NOW.timestamp), Admission(AdmissionLimits())
        servicers: dict[AddToServer, Any] = {
            add_InferenceServiceServicer_to_server: InferenceServicer(router, admission),
            add_ModelsServiceServicer_to_server: ModelsServicer(catalog),
            add_OpenAIServiceServicer_to_server: OpenAIServicer(router, ModelList(catalog), admission),
        }
        async with mesh_of(servicers) as mesh:
            yield mesh
    finally:
        await catalog.stop()


@asynccontextmanager
async def worker(engine: Engine, folder: Path) -> AsyncIterator[Mesh]:
    """Serve the model ``llama`` with an engine."""

    def remote(spec: ModelSpec) -> Remote:
        raise AssertionError("a worker forwards nothing")

    workshop = Workshop(lambda spec, source: engine, remote, lambda spec, source, info: PlainFormat())
    catalog = Catalog(workshop, Sources(folder), folder / "worker.json", lambda: NOW)
    async with serving(catalog, [ModelSpec("llama")]) as mesh:
        yield mesh


@asynccontextmanager
async def front(
    addresses: Sequence[str],
    folder: Path,
    *,
    name: str = "llama",
    resolve: Resolve = resolve,
    pace: Pace = PACE,
) -> AsyncIterator[Mesh]:
    """Serve a model by forwarding to the workers' model ``llama``."""

    def engine(spec: ModelSpec, source: str | None) -> Engine:
        raise AssertionError("a front runs nothing")

    async with Client(ClientConfig(timeout_s=None, max_attempts=1)) as client:

        def remote(spec: ModelSpec) -> Remote:
            return MeshModel(spec, client, resolve=resolve, pace=pace)

        workshop = Workshop(engine, remote, lambda spec, source, info: None)
        catalog = Catalog(workshop, Sources(folder), folder / "front.json", lambda: NOW)
        spec = ModelSpec(name, addresses=tuple(addresses), remote_model_id="llama")
        async with serving(catalog, [spec]) as mesh:
            yield mesh


class Wire:
    """A TCP connection to an address by way of a place of its own, until it is cut."""

    def __init__(self, address: str, place: str = "127.0.0.1:0") -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._place = place
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.address = ""

    async def __aenter__(self) -> Wire:
        host, _, port = self._place.rpartition(":")
        self._server = await asyncio.start_server(self._accept, host, int(port))
        self.address = f"{host}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def cut(self) -> None:
        """End everything as a power cut would: connections are reset, new ones refused."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._host, self._port)
        self._writers |= {writer, back}
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(_copy(source, sink))
            self._tasks.add(task)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.transport.abort()
