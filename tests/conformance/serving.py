"""The inference service over scripted engines, and a gateway in front of it on a real socket, for clients of others."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import Any

from google.protobuf.message import Message

from gateway.app import Gateway, Surroundings, load_contract
from gateway.config import GatewayConfig, JsonConfig, ListenConfig
from gateway.observe import Unwatched
from gateway.server import HttpServer
from gateway.upstream import GrpcUpstreams
from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from mesh.client import Client, ClientConfig
from mesh.errors import BackendUnavailable, Overloaded
from mesh.testing import mesh_of
from services.inference.admission import Admission, AdmissionLimits
from services.inference.backend import Backend
from services.inference.catalog import Catalog
from services.inference.engine import FinishReason
from services.inference.router import Local, Router
from services.inference.servicer import InferenceServicer
from tests.unit.inference.fakes import EMBEDDING, Answer, ScriptedEngine, llama3_format, ready_catalog

START_S = 30
CLIENT_S = 60
EOM = llama3_format().vocabulary.special_id("<|eom_id|>")
CALL = '{"type": "function", "name": "get_forecast", "parameters": {"city": "La Paz", "days": 3, "metric": true}}'


@dataclass
class Heard:
    """The chat requests as they reached the domain, oldest first."""

    requests: list[Message] = field(default_factory=list)


class ListeningBackend(Local):
    """The service's own backend, which keeps the chat requests that it was asked."""

    def __init__(self, catalog: Catalog, heard: Heard) -> None:
        super().__init__(catalog)
        self._heard = heard
        self._chat, self._stream_chat = self.chat, self.stream_chat
        self.chat, self.stream_chat = self._heard_chat, self._heard_stream

    async def _heard_chat(self, request: Any) -> Any:
        self._heard.requests.append(request)
        return await self._chat(request)

    async def _heard_stream(self, request: Any) -> Any:
        self._heard.requests.append(request)
        async for event in self._stream_chat(request):
            yield event


class ListeningRouter(Router):
    """The service's own router, all of whose models have a listening backend."""

    def __init__(self, catalog: Catalog, heard: Heard) -> None:
        super().__init__(catalog, time)
        self._catalog = catalog
        self._backend = ListeningBackend(catalog, heard)

    def backend(self, model: str) -> Backend:
        """Return the listening backend, if there is such a model."""
        self._catalog.remote(model)
        return self._backend


def engines() -> dict[str, ScriptedEngine]:
    """Return one engine for each way in which an answer can go, by the model's id."""
    return {
        "llama": ScriptedEngine(),
        "long": ScriptedEngine(answers=[Answer(("One", " two"), FinishReason.LENGTH)]),
        "caller": ScriptedEngine(answers=[Answer((CALL[:30], CALL[30:]))]),
        "searcher": ScriptedEngine(
            answers=[Answer(("<|python_tag|>", "brave_search.call(", 'query="altiplano")'), stop=EOM)]
        ),
        "minilm": ScriptedEngine(EMBEDDING),
        "busy": ScriptedEngine(),
        "dying": ScriptedEngine(fail_after=1),
    }


@asynccontextmanager
async def inference(folder: Path, heard: Heard | None = None) -> AsyncIterator[str]:
    """Serve inference on the scripted engines for the time of the block; the value is its address."""
    scripted = engines()
    catalog = await ready_catalog(folder, scripted)
    scripted["busy"].failure = Overloaded("the queue is full", retry_after_s=7.0)
    scripted["dying"].failure = BackendUnavailable("the engine died", retry_after_s=2.0)
    servicer = InferenceServicer(ListeningRouter(catalog, heard or Heard()), Admission(AdmissionLimits()))
    try:
        async with mesh_of({add_InferenceServiceServicer_to_server: servicer}) as mesh:
            yield mesh.address
    finally:
        await catalog.stop()


@asynccontextmanager
async def gateway(
    address: str, json: JsonConfig | None = None, areas: Sequence[str] = ("inference",)
) -> AsyncIterator[str]:
    """Serve REST in front of the service of some areas at an address; the value is the base URL."""
    upstreams = tuple(f"{area}={address}" for area in areas)
    config = GatewayConfig(upstreams=upstreams, json=json or JsonConfig(), listen=ListenConfig(bind="127.0.0.1:0"))
    async with Client(ClientConfig()) as client:
        made = Gateway(config, load_contract(), Surroundings(GrpcUpstreams(client), Unwatched()))
        server = HttpServer(made.app, made.admission, config.listen)
        serving = asyncio.create_task(server.serve())
        try:
            async with asyncio.timeout(START_S):
                while not server.started and not serving.done():  # noqa: ASYNC110 - there is no event for it
                    await asyncio.sleep(0.005)
            yield f"http://{server.address}"
        finally:
            server.stop()
            await serving


async def output_of(arguments: Sequence[str | Path]) -> bytes:
    """Run a program for at most a minute and return what it wrote to its standard output.

    Raises:
        AssertionError: it failed; the message is what it wrote to its standard error.
    """
    process = await asyncio.create_subprocess_exec(
        *map(str, arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_direct(os.environ),
    )
    try:
        async with asyncio.timeout(CLIENT_S):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return output


def _direct(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which a client of loopback asks no proxy and finds no packages of ours."""
    unwanted = {"pythonpath", "http_proxy", "https_proxy", "all_proxy", "grpc_proxy"}
    return {name: value for name, value in environ.items() if name.lower() not in unwanted}
