"""The settings of the inference service."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mesh.auth.config import AuthConfig
from mesh.client import ClientConfig
from mesh.config import setting
from mesh.interceptors.quota import QuotaConfig
from mesh.server import ServerConfig
from mesh.telemetry.process import TelemetryConfig
from services.inference.admission import AdmissionLimits
from services.inference.remote.key import Key


@dataclass(frozen=True)
class InferenceServerConfig(ServerConfig):
    """How the service listens."""

    bind: str = setting("BIND", "127.0.0.1:50051", "Address that gRPC is served on: host:port, or unix:path.")


@dataclass(frozen=True)
class ModelConfig:
    """The base model that a worker serves from its start."""

    model: str = setting(
        "MODEL", "builtin", "What to serve: builtin, a folder, hf://owner/name, s3://…; empty for none."
    )
    model_id: str = setting("MODEL_ID", "", "Its id; empty for the last part of MODEL.")
    aliases: tuple[str, ...] = setting("MODEL_ALIASES", (), "Other names of it, separated by commas.")
    engine: Literal["vllm", "transformers"] = setting("ENGINE", "vllm", "What runs it: vllm or transformers.")
    context_length: int | None = setting("CONTEXT_LENGTH", None, "Tokens at most; empty for the checkpoint's own.")
    quantization: str | None = setting(
        "QUANTIZATION", None, "bf16, fp8 or int8; empty to leave the weights as they are."
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = setting(
        "DTYPE",
        "auto",
        "What is computed in: float32, bfloat16, float16, or auto for the checkpoint's own, but float32 for a small "
        "model on a processor without instructions for bfloat16.",
    )
    prompt_format: Literal["auto", "llama3", "template"] = setting(
        "PROMPT_FORMAT", "auto", "llama3, the checkpoint's own chat template, or auto: llama3 where its tokens are."
    )
    tool_parser: str = setting(
        "TOOL_PARSER", "", "vLLM's tool parser for the checkpoint's own template; empty for none."
    )
    tensor_parallel: int = setting("TENSOR_PARALLEL", 1, "GPUs that vLLM divides each layer of the model over.")
    max_sequences: int = setting("MAX_SEQUENCES", 64, "Sequences that the engine runs at once.")
    max_adapters: int = setting("MAX_ADAPTERS", 4, "LoRA adapters that may be loaded at once; 0 for none.")
    max_adapter_rank: int = setting("MAX_ADAPTER_RANK", 64, "The largest rank of an adapter.")
    compiled: bool | None = setting(
        "COMPILED",
        None,
        "Whether vLLM compiles the model: quicker steps for a slower start, needs a C++ compiler and, without a GPU, "
        "MAX_ADAPTERS=0; empty for where there is a GPU.",
    )
    kv_cache_gib: int = setting("KV_CACHE_GIB", 1, "GiB of key-value cache on a machine without a GPU.")
    pieces_per_second: int = setting(
        "PIECES_PER_SECOND",
        1000,
        "Pieces that all streams of vLLM give together; where more would come, those of several steps go as one. "
        "0 for no bound.",
    )
    embedding_model: str = setting(
        "EMBEDDING_MODEL", "builtin", "What embeds: builtin, a folder, hf://owner/name, s3://…; empty for none."
    )
    embedding_model_id: str = setting("EMBEDDING_MODEL_ID", "all-MiniLM-L6-v2", "The id of the embedding model.")


@dataclass(frozen=True)
class RemoteConfig:
    """The models that are served elsewhere."""

    models: tuple[str, ...] = setting(
        "REMOTE_MODELS", (), "Models to forward to, as id=host:port|host:port or id=https://…, separated by commas."
    )
    openai_api_key: str | None = setting(
        "OPENAI_API_KEY", None, "Key for OpenAI-compatible servers elsewhere.", secret=True
    )
    openai_api_hosts: tuple[str, ...] = setting(
        "OPENAI_API_HOSTS", ("api.openai.com",), "Hosts that are shown OPENAI_API_KEY; no other ever is."
    )
    calls: ClientConfig = field(default_factory=ClientConfig)

    def __post_init__(self) -> None:
        """Refuse what does not name a model and where it is."""
        for item in self.models:
            name, equals, addresses = item.partition("=")
            if not (name and equals and all(addresses.split("|"))):
                raise ValueError(f"REMOTE_MODELS: {item} is not of the form id=address|address")

    def addresses(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return each model's id and addresses."""
        parts = [item.partition("=") for item in self.models]
        return [(name, tuple(addresses.split("|"))) for name, _, addresses in parts]

    def key(self) -> Key:
        """Return what OpenAI-compatible servers are shown."""
        return Key(self.openai_api_key, self.openai_api_hosts)

    def client(self) -> ClientConfig:
        """Return how workers are called: as long as the caller likes, and once each, because another one may answer."""
        return replace(self.calls, timeout_s=None, max_attempts=1)


@dataclass(frozen=True)
class LimitsConfig:
    """How much work the service takes."""

    max_requests: int = setting("MAX_REQUESTS", 512, "Requests inside at once; more are RESOURCE_EXHAUSTED.")
    max_requests_per_tenant: int = setting("MAX_REQUESTS_PER_TENANT", 512, "The same for each tenant.")
    tokens_per_minute: int | None = setting(
        "QUOTA_TOKENS_PER_MINUTE", None, "Tokens of a tenant per minute, of prompts and answers; empty for no limit."
    )

    def __post_init__(self) -> None:
        """Refuse limits that would let nothing in."""
        if self.max_requests < 1 or self.max_requests_per_tenant < 1:
            raise ValueError("MAX_REQUESTS and MAX_REQUESTS_PER_TENANT: at least 1 is needed")
        if self.tokens_per_minute is not None and self.tokens_per_minute < 1:
            raise ValueError("QUOTA_TOKENS_PER_MINUTE: at least 1 is needed")

    def admission(self, quota: QuotaConfig) -> AdmissionLimits:
        """Return the limits as the admission takes them, this process's part of the tokens among them."""
        tokens = quota.share(self.tokens_per_minute)
        return AdmissionLimits(self.max_requests, self.max_requests_per_tenant, tokens_per_minute=tokens)


@dataclass(frozen=True)
class InferenceConfig:
    """Everything about the service."""

    data: Path = setting("DATA", Path(".altiplano/inference"), "Folder for the registered models and fetched files.")
    replicas: int = setting("REPLICAS", 1, "Processes that answer in place of this one; several register no models.")
    server: InferenceServerConfig = field(default_factory=InferenceServerConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    remote: RemoteConfig = field(default_factory=RemoteConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)

    def __post_init__(self) -> None:
        """Refuse what is no number of processes."""
        if self.replicas < 1:
            raise ValueError("REPLICAS: at least 1 is needed")
