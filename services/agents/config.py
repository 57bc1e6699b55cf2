"""The settings of the agents service."""

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
from services.agents.safety.config import SafetyConfig
from services.agents.tools.config import ToolsConfig


@dataclass(frozen=True)
class AgentsServerConfig(ServerConfig):
    """How the service listens."""

    bind: str = setting("BIND", "127.0.0.1:50052", "Address that gRPC is served on: host:port, or unix:path.")


IN_DATA: Final = "sqlite://"


@dataclass(frozen=True)
class AgentsStorageConfig(StorageConfig):
    """Where systems, sessions and turns are kept."""

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
class AgentsConfig:
    """Everything about the service."""

    data: Path = setting("DATA", Path(".altiplano/agents"), "Folder of what is kept in files.")
    server: AgentsServerConfig = field(default_factory=AgentsServerConfig)
    storage: AgentsStorageConfig = field(default_factory=AgentsStorageConfig)
    peers: PeerConfig = field(default_factory=PeerConfig)
    tools: ToolsConfig = field(default_factory=ToolsConfig)
    safety: SafetyConfig = field(default_factory=SafetyConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)

    def database(self) -> StorageConfig:
        """Return where the database is, with the default filled in."""
        if self.storage.url != IN_DATA:
            return self.storage
        return replace(self.storage, url=f"sqlite:///{self.data / 'agents.db'}")
