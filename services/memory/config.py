"""The settings of the memory service."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mesh.auth.config import AuthConfig
from mesh.client import ClientConfig
from mesh.config import setting
from mesh.server import ServerConfig
from mesh.storage import StorageConfig
from mesh.telemetry.process import TelemetryConfig


@dataclass(frozen=True)
class MemoryServerConfig(ServerConfig):
    """How the service listens."""

    bind: str = setting("BIND", "127.0.0.1:50053", "Address that gRPC is served on: host:port, or unix:path.")


@dataclass(frozen=True)
class StoreConfig:
    """Which vector store holds the chunks."""

    qdrant_url: str = setting(
        "QDRANT_URL", "", "http(s)://host:port of a Qdrant server; empty for the embedded store in DATA."
    )
    qdrant_api_key: str | None = setting("QDRANT_API_KEY", None, "The key of the Qdrant server.", secret=True)
    qdrant_ca: Path | None = setting(
        "QDRANT_CA",
        None,
        "PEM file of the authorities that the server's certificate is checked by; default the system's.",
    )
    qdrant_timeout_s: int = setting("QDRANT_TIMEOUT_S", 30, "Seconds for a call of the Qdrant server.")
    qdrant_shards: int | None = setting("QDRANT_SHARDS", None, "Shards of a bank; empty for the server's default.")
    qdrant_replication: int | None = setting(
        "QDRANT_REPLICATION", None, "Copies of each shard; empty for the server's default."
    )
    max_open_banks: int = setting("MAX_OPEN_BANKS", 64, "Banks that the embedded store keeps open.")
    optimize_after: int = setting(
        "OPTIMIZE_AFTER", 10000, "New chunks in a bank after which the embedded store improves its index."
    )

    def __post_init__(self) -> None:
        """Refuse a store that could not be used."""
        if self.qdrant_url and not self.qdrant_url.startswith(("http://", "https://")):
            raise ValueError("QDRANT_URL: http:// or https:// is needed")
        if self.max_open_banks < 1 or self.optimize_after < 1:
            raise ValueError("MAX_OPEN_BANKS and OPTIMIZE_AFTER: at least 1 is needed")


@dataclass(frozen=True)
class EmbeddingConfig:
    """Who makes the vectors."""

    inference: str = setting(
        "ALTIPLANO_INFERENCE_ADDRESS", "127.0.0.1:50051", "host:port of the inference service that embeds."
    )
    model: str = setting("EMBEDDING_MODEL_ID", "all-MiniLM-L6-v2", "The embedding model of banks that name none.")
    batch: int = setting("EMBEDDING_BATCH", 64, "Texts per call of the inference service.")
    calls: ClientConfig = field(default_factory=ClientConfig)

    def __post_init__(self) -> None:
        """Refuse what the inference service would refuse."""
        if not 1 <= self.batch <= 65536:
            raise ValueError("EMBEDDING_BATCH: 1 to 65536 is possible")


@dataclass(frozen=True)
class SourceConfig:
    """What documents that are given as URLs may be read from."""

    file_roots: tuple[str, ...] = setting("FILE_ROOTS", (), "Folders that file: URLs may lie in; none by default.")
    private_hosts: tuple[str, ...] = setting(
        "PRIVATE_HOSTS", (), "Names of hosts that may be fetched from though their addresses are not public."
    )
    fetch_ca: Path | None = setting(
        "FETCH_CA",
        None,
        "PEM file of the authorities that hosts' certificates are checked by; default the usual ones.",
    )
    fetch_timeout_s: float = setting("FETCH_TIMEOUT_S", 60.0, "Seconds for fetching one document.")
    read_timeout_s: float = setting("READ_TIMEOUT_S", 60.0, "Seconds for reading the text out of one PDF or DOCX file.")
    read_memory_mib: int = setting("READ_MEMORY_MIB", 1024, "Memory for the same, in MiB.")

    def __post_init__(self) -> None:
        """Refuse limits that would let nothing in."""
        if self.fetch_timeout_s <= 0 or self.read_timeout_s <= 0 or self.read_memory_mib < 256:
            raise ValueError("FETCH_TIMEOUT_S and READ_TIMEOUT_S are positive, READ_MEMORY_MIB is at least 256")


@dataclass(frozen=True)
class MemoryLimits:
    """How much work the service takes."""

    max_writes: int = setting("MAX_WRITES", 16, "Calls that write documents at once; more are RESOURCE_EXHAUSTED.")
    max_chunks_per_document: int = setting(
        "MAX_CHUNKS_PER_DOCUMENT", 20000, "Chunks of one document; a document with more does not go in."
    )

    remembered_documents: int = setting(
        "REMEMBERED_DOCUMENTS",
        100_000,
        "Documents whose metadata is kept in memory for queries, about 1 KB each; used with SQLite alone.",
    )

    def __post_init__(self) -> None:
        """Refuse limits that would let nothing in."""
        if self.max_writes < 1 or self.max_chunks_per_document < 1 or self.remembered_documents < 0:
            raise ValueError(
                "MAX_WRITES and MAX_CHUNKS_PER_DOCUMENT are at least 1, REMEMBERED_DOCUMENTS is at least 0"
            )


@dataclass(frozen=True)
class MemoryConfig:
    """Everything about the service."""

    data: Path = setting("DATA", Path(".altiplano/memory"), "Folder of the embedded store.")
    server: MemoryServerConfig = field(default_factory=MemoryServerConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    sources: SourceConfig = field(default_factory=SourceConfig)
    limits: MemoryLimits = field(default_factory=MemoryLimits)
    auth: AuthConfig = field(default_factory=AuthConfig)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)

    def __post_init__(self) -> None:
        """Refuse several processes over one embedded store."""
        if self.storage.replicas > 1 and not self.store.qdrant_url:
            raise ValueError("QDRANT_URL: several replicas need a Qdrant server, the embedded store has one owner")

    def database(self) -> StorageConfig:
        """Return where the database is, with the default filled in."""
        return self.storage.or_file(self.data / "memory.db")
