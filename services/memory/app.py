"""Puts the memory service together; the only module that names concrete classes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from ssl import create_default_context
from typing import Final

from qdrant_client import AsyncQdrantClient

from llamastack.memory.v1.memory_banks_service_pb2_grpc import add_MemoryBanksServiceServicer_to_server
from mesh.addresses import AddressGuard
from mesh.channel import Companion
from mesh.client import Client
from mesh.health import Dependency
from mesh.migrations import migrate
from mesh.server import Attachments, Registration, Server
from mesh.storage import SQLITE, Storage
from mesh.telemetry.process import ProcessTelemetry
from services.memory.banks import Banks
from services.memory.config import MemoryConfig, StoreConfig
from services.memory.documents import Documents
from services.memory.edge_store import EdgeStore
from services.memory.extraction import Extraction
from services.memory.inference import Inference
from services.memory.ingestion import Ingestion, Writing
from services.memory.library import Library, Parts
from services.memory.neighbourhood import Neighbourhoods
from services.memory.preparation import Preparation, Tools
from services.memory.qdrant_store import Layout, QdrantStore
from services.memory.readers.reader import Reader, ReaderLimits
from services.memory.retrieval import Retrieval
from services.memory.servicer import MemoryBanksServicer
from services.memory.sources import Sources
from services.memory.store import Store
from services.memory.tables import MIGRATIONS
from services.memory.upkeep import Upkeep

TABLES: Final = (MIGRATIONS,)
"""The migrations of the service, in their order."""


class App:
    """The service: its database, its store and its server."""

    def __init__(self, config: MemoryConfig, telemetry: ProcessTelemetry) -> None:
        """Build everything; nothing is opened before :meth:`begin`."""
        self._config = config
        self._telemetry = telemetry
        self._storage = Storage(config.database())
        self._store = store_of(config.store, config.data)
        self._client = Client(config.embedding.calls, _companions(config, telemetry))
        self._upkeep: asyncio.Task[None] | None = None
        # another process may write a database on a server
        alone = self._storage.kind == SQLITE
        self._remembered = config.limits.remembered_documents if alone else 0
        self._documents = Documents(self._storage, time.time, self._remembered)
        library = self._library()
        self.server = Server(
            config.server,
            [Registration(add_MemoryBanksServiceServicer_to_server, MemoryBanksServicer(library))],
            Attachments(
                dependencies=[Dependency("database", self._storage.check), Dependency("store", self._store.check)],
                authenticator=config.auth.services(),
                outermost=[telemetry.interceptor],
                innermost=telemetry.semantics,
            ),
        )
        telemetry.show_active(lambda: float(self.server.active))
        telemetry.metrics.gauge("memory_writes", "Calls that write documents.", lambda: float(library.writes))

    async def begin(self) -> None:
        """Bring the database up to date and begin to clear away what was left over."""
        await migrate(self._storage, TABLES)
        upkeep = Upkeep(self._documents, self._store, time.time)
        self._upkeep = asyncio.create_task(upkeep.run(alone=self._storage.kind == SQLITE))

    async def stop(self) -> None:
        """Close the store, the database and the connections, and send the last spans."""
        if self._upkeep is not None:
            self._upkeep.cancel()
            await asyncio.gather(self._upkeep, return_exceptions=True)
        await self._documents.close()
        await self._client.close()
        await self._store.close()
        await self._storage.close()
        self._telemetry.close()

    def _library(self) -> Library:
        config = self._config
        inference = Inference(self._client.channel(config.embedding.inference), config.embedding.batch)
        sources = Sources(
            tuple(map(Path, config.sources.file_roots)),
            AddressGuard(frozenset(config.sources.private_hosts)),
            config.sources.fetch_timeout_s,
            None if config.sources.fetch_ca is None else create_default_context(cafile=config.sources.fetch_ca),
        )
        reader = Reader(ReaderLimits(config.sources.read_timeout_s, config.sources.read_memory_mib))
        tools = Tools(sources, reader, self._documents, Extraction(inference))
        preparation = Preparation(tools, config.limits.max_chunks_per_document, time.time)
        parts = Parts(
            banks=Banks(self._storage, self._store, time.time, self._remembered),
            documents=self._documents,
            store=self._store,
            inference=inference,
            ingestion=Ingestion(preparation, Writing(inference, self._store, self._documents)),
            retrieval=Retrieval(self._store, self._documents, inference, Neighbourhoods(self._storage, time.time)),
        )
        return Library(parts, config.embedding.model, config.limits.max_writes)


def store_of(config: StoreConfig, data: Path) -> Store:
    if not config.qdrant_url:
        return EdgeStore(data / "banks", max_open=config.max_open_banks, optimize_after=config.optimize_after)
    client = AsyncQdrantClient(
        url=config.qdrant_url,
        api_key=config.qdrant_api_key,
        timeout=config.qdrant_timeout_s,
        check_compatibility=False,
        verify=True if config.qdrant_ca is None else create_default_context(cafile=config.qdrant_ca),
    )
    return QdrantStore(client, Layout(config.qdrant_shards, config.qdrant_replication))


def _companions(config: MemoryConfig, telemetry: ProcessTelemetry) -> list[Companion]:
    """Return what calls of the inference service carry: the caller's identity and the trace."""
    identity = config.auth.companion("memory")
    return [telemetry.companion] if identity is None else [identity, telemetry.companion]
