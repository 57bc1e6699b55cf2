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
class ArtifactConfig:
    """Where the files of experiments are kept."""

    store: str = setting("ARTIFACT_STORE", "", "file:, s3: or gs: URL of a folder for uploaded files; default in DATA.")
    places: tuple[str, ...] = setting(
        "ARTIFACT_PLACES", (), "URLs of folders (file:, s3:, gs:) that linked artifacts may lie in; none by default."
    )
    max_gib: float = setting("ARTIFACT_STORE_MAX_GIB", 100.0, "Size of all uploaded files together, in GiB.")

    def __post_init__(self) -> None:
        """Refuse places that no file can lie in."""
        for place in (*filter(None, (self.store,)), *self.places):
            if place.partition(":")[0] not in {"file", "s3", "gs"}:
                raise ValueError("ARTIFACT_STORE and ARTIFACT_PLACES: URLs of file:, s3: or gs: are needed")
        if self.max_gib <= 0:
            raise ValueError("ARTIFACT_STORE_MAX_GIB: more than 0 is needed")

    @property
    def max_bytes(self) -> int:
        """The size of all uploaded files together."""
        return int(self.max_gib * 2**30)


@dataclass(frozen=True)
class MlflowConfig:
    """Where runs are copied to when somebody asks for it."""

    uri: str = setting("MLFLOW_TRACKING_URI", "", "http(s): URL of an MLflow server or file: URL of a folder.")
    hosts: tuple[str, ...] = setting(
        "MLFLOW_HOSTS", (), "host:port of other MLflow servers that callers may name; none by default."
    )
    timeout_s: float = setting("MLFLOW_TIMEOUT_S", 240.0, "Seconds that a copy may take.")

    def __post_init__(self) -> None:
        """Refuse a tracker that can't be used."""
        if self.uri and not self.uri.startswith(("http://", "https://", "file:")):
            raise ValueError("MLFLOW_TRACKING_URI: http://, https:// or file: is needed")
        if self.timeout_s <= 0:
            raise ValueError("MLFLOW_TIMEOUT_S: more than 0 is needed")


@dataclass(frozen=True)
class EvalConfig:
    """Everything about the service."""

    data: Path = setting("DATA", Path(".altiplano/eval"), "Folder of what is kept in files.")
    server: EvalServerConfig = field(default_factory=EvalServerConfig)
    storage: EvalStorageConfig = field(default_factory=EvalStorageConfig)
    peers: PeerConfig = field(default_factory=PeerConfig)
    artifacts: ArtifactConfig = field(default_factory=ArtifactConfig)
    mlflow: MlflowConfig = field(default_factory=MlflowConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)

    def database(self) -> StorageConfig:
        """Return where the database is, with the default filled in."""
        if self.storage.url != IN_DATA:
            return self.storage
        return replace(self.storage, url=f"sqlite:///{self.data / 'eval.db'}")

    def artifact_store(self) -> str:
        """Return the URL of the folder for uploaded files, with the default filled in."""
        return self.artifacts.store or (self.data / "artifacts").absolute().as_uri()
