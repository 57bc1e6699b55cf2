"""The settings of the evaluation service."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

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


@dataclass(frozen=True)
class PeerConfig:
    """Where the services are that this one calls."""

    inference: str = setting("ALTIPLANO_INFERENCE_ADDRESS", "127.0.0.1:50051", "host:port of the inference service.")
    agents: str = setting("ALTIPLANO_AGENTS_ADDRESS", "127.0.0.1:50052", "host:port of the service with the shields.")
    memory: str = setting("ALTIPLANO_MEMORY_ADDRESS", "127.0.0.1:50053", "host:port of the memory service.")
    training: str = setting("ALTIPLANO_TRAINING_ADDRESS", "127.0.0.1:50054", "host:port of the service with datasets.")
    rewards: str = setting("ALTIPLANO_EVAL_ADDRESS", "127.0.0.1:50055", "host:port of the service that scores answers.")
    calls: ClientConfig = field(default_factory=ClientConfig)


@dataclass(frozen=True)
class ArtifactConfig:
    """Where the files of experiments are kept."""

    store: str = setting("ARTIFACT_STORE", "", "file:, s3: or gs: URL of a folder for uploaded files; default in DATA.")
    places: tuple[str, ...] = setting(
        "ARTIFACT_PLACES", (), "URLs of folders (file:, s3:, gs:) that linked artifacts may lie in; none by default."
    )
    s3_endpoint: str = setting("S3_ENDPOINT", "", "URL of the S3 server; empty for Amazon's.")
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
class JobConfig:
    """How evaluation jobs run."""

    concurrency: int = setting("JOBS_AT_ONCE", 2, "Evaluation jobs that one process runs at once.")
    lease_s: float = setting("JOB_LEASE_S", 30.0, "Seconds after which the jobs of a process that died are taken over.")
    poll_s: float = setting("JOB_POLL_S", 2.0, "Seconds between looks for jobs and for wishes to cancel them.")

    def __post_init__(self) -> None:
        """Refuse a pace at which jobs would be taken from those who run them."""
        if self.concurrency < 1 or self.poll_s <= 0 or self.lease_s < 3 * self.poll_s:
            raise ValueError("JOB_LEASE_S: at least three times JOB_POLL_S is needed, and JOBS_AT_ONCE of 1 or more")


@dataclass(frozen=True)
class HarnessConfig:
    """How tasks of the lm-eval harness run."""

    tasks: Path | None = setting("LM_EVAL_TASKS", None, "Folder of the task files; empty for none.")
    url: str = setting("LM_EVAL_URL", "http://127.0.0.1:8080", "The gateway, or another OpenAI-compatible server.")
    key: str | None = setting("LM_EVAL_API_KEY", None, "The API key for it.", secret=True)
    timeout_s: float = setting("LM_EVAL_TIMEOUT_S", 86400.0, "Seconds that a task may take.")

    def __post_init__(self) -> None:
        """Refuse an endpoint that can't be one."""
        if not self.url.startswith(("http://", "https://")):
            raise ValueError("LM_EVAL_URL: http:// or https:// is needed")


@dataclass(frozen=True)
class EvalConfig:
    """Everything about the service."""

    data: Path = setting("DATA", Path(".altiplano/eval"), "Folder of what is kept in files.")
    server: EvalServerConfig = field(default_factory=EvalServerConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)
    peers: PeerConfig = field(default_factory=PeerConfig)
    artifacts: ArtifactConfig = field(default_factory=ArtifactConfig)
    mlflow: MlflowConfig = field(default_factory=MlflowConfig)
    jobs: JobConfig = field(default_factory=JobConfig)
    harness: HarnessConfig = field(default_factory=HarnessConfig)
    rewards: RewardsConfig = field(default_factory=RewardsConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)

    def database(self) -> StorageConfig:
        """Return where the database is, with the default filled in."""
        return self.storage.or_file(self.data / "eval.db")

    def artifact_store(self) -> str:
        """Return the URL of the folder for uploaded files, with the default filled in."""
        return self.artifacts.store or (self.data / "artifacts").absolute().as_uri()
