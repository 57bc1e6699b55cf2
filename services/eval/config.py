"""The settings of the evaluation service."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from mesh.auth.config import AuthConfig
from mesh.client import ClientConfig
from mesh.config import setting
from mesh.server import ServerConfig
from mesh.storage import StorageConfig
from mesh.telemetry.process import TelemetryConfig
from services.eval.rewards.config import RewardsConfig


@dataclass(frozen=True)
class EvalServerConfig(ServerConfig):
    """How the service listens."""

    bind: str = setting("BIND", "127.0.0.1:50055", "Address that gRPC is served on: host:port, or unix:path.")


IN_DATA: Final = "sqlite://"


@dataclass(frozen=True)
class EvalStorageConfig(StorageConfig):
    """Where jobs, scores and what runs report are kept."""

    url: str = setting(
        "DATABASE_URL",
        IN_DATA,
        "sqlite:///file or postgresql://user:password@host/name; by default a file in DATA.",
        secret=True,
    )


@dataclass(frozen=True)
class PeerConfig:
    """Where the services are that this one calls."""

    inference: str = setting("ALTIPLANO_INFERENCE_ADDRESS", "127.0.0.1:50051", "host:port of the inference service.")
    calls: ClientConfig = field(default_factory=ClientConfig)


@dataclass(frozen=True)
class EvalConfig:
    """Everything about the service."""

    data: Path = setting("DATA", Path(".altiplano/eval"), "Folder of what is kept in files.")
    server: EvalServerConfig = field(default_factory=EvalServerConfig)
    storage: EvalStorageConfig = field(default_factory=EvalStorageConfig)
    peers: PeerConfig = field(default_factory=PeerConfig)
    rewards: RewardsConfig = field(default_factory=RewardsConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)

    def database(self) -> StorageConfig:
        """Return where the database is, with the default filled in."""
        if self.storage.url != IN_DATA:
            return self.storage
        return replace(self.storage, url=f"sqlite:///{self.data / 'eval.db'}")
