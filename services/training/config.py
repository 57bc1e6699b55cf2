"""The settings of the training service."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mesh.auth.config import AuthConfig
from mesh.client import ClientConfig
from mesh.config import setting
from mesh.server import ServerConfig
from mesh.storage import StorageConfig
from mesh.telemetry.process import TelemetryConfig
from services.training.datasets.config import DatasetConfig
from services.training.post_training.config import PostTrainingConfig
from services.training.synthetic.config import SyntheticConfig


@dataclass(frozen=True)
class TrainingServerConfig(ServerConfig):
    """How the service listens."""

    bind: str = setting("BIND", "127.0.0.1:50054", "Address that gRPC is served on: host:port, or unix:path.")


@dataclass(frozen=True)
class PeerConfig:
    """Where the services are that this one calls."""

    inference: str = setting("ALTIPLANO_INFERENCE_ADDRESS", "127.0.0.1:50051", "host:port of the inference service.")
    agents: str = setting("ALTIPLANO_AGENTS_ADDRESS", "127.0.0.1:50052", "host:port of the agents service.")
    eval: str = setting("ALTIPLANO_EVAL_ADDRESS", "127.0.0.1:50055", "host:port of the evaluation service.")
    calls: ClientConfig = field(default_factory=ClientConfig)


@dataclass(frozen=True)
class TrainingConfig:
    """Everything about the service."""

    data: Path = setting("DATA", Path(".altiplano/training"), "Folder of what is kept in files.")
    server: TrainingServerConfig = field(default_factory=TrainingServerConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)
    peers: PeerConfig = field(default_factory=PeerConfig)
    datasets: DatasetConfig = field(default_factory=DatasetConfig)
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    post_training: PostTrainingConfig = field(default_factory=PostTrainingConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)

    def database(self) -> StorageConfig:
        """Return where the database is, with the default filled in."""
        return self.storage.or_file(self.data / "training.db")
