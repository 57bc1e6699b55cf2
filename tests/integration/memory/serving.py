"""The memory service on a real channel, over any store, with the small embedder behind another one."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from llamastack.memory.v1 import bank_pb2, document_pb2, query_pb2
from llamastack.memory.v1.memory_banks_service_pb2_grpc import (
    MemoryBanksServiceStub,
    add_MemoryBanksServiceServicer_to_server,
)
from mesh.client import Client
from mesh.errors import MeshError, from_rpc
from mesh.json_text import Loose, value_of
from mesh.migrations import migrate
from mesh.server import AddToServer, Attachments
from mesh.storage import SQLITE, Storage, StorageConfig
from mesh.testing import Mesh, mesh_of
from services.memory.banks import Banks
from services.memory.documents import Documents
from services.memory.extraction import Extraction
from services.memory.inference import Inference
from services.memory.ingestion import Ingestion, Writing
from services.memory.library import Library, Parts
from services.memory.neighbourhood import Neighbourhoods
from services.memory.preparation import Preparation, Tools
from services.memory.readers.reader import Reader, ReaderLimits
from services.memory.retrieval import Retrieval
from services.memory.servicer import MemoryBanksServicer
from services.memory.sources import Sources
from services.memory.store import Store
from services.memory.tables import MIGRATIONS
from services.memory.upkeep import Upkeep
from tests.integration.memory.embedder import SmallEmbedder, small_embedder

if TYPE_CHECKING:
    from llamastack.memory.v1.memory_banks_service_pb2_grpc import MemoryBanksServiceAsyncStub

INSERTED = document_pb2.DOCUMENT_OUTCOME_INSERTED
UPDATED = document_pb2.DOCUMENT_OUTCOME_UPDATED
UNCHANGED = document_pb2.DOCUMENT_OUTCOME_UNCHANGED
FAILED = document_pb2.DOCUMENT_OUTCOME_FAILED


@dataclass
class Served:
    """A running memory service and what is behind it."""

    mesh: Mesh
    embedder: SmallEmbedder
    storage: Storage
    store: Store
    documents: Documents
    clock: list[float]

    @property
    def stub(self) -> MemoryBanksServiceAsyncStub:
        """The service as its callers see it."""
        made: MemoryBanksServiceAsyncStub = self.mesh.stub(MemoryBanksServiceStub)
        return made

    @property
    def upkeep(self) -> Upkeep:
        """What clears away."""
        return Upkeep(self.documents, self.store, lambda: self.clock[0])

    async def create(self, bank_id: str, kind: str = "vector", **settings: Any) -> None:
        """Make a bank of a kind."""
        made = getattr(bank_pb2.MemoryBankConfig(), kind).__class__(**settings)
        config = bank_pb2.MemoryBankConfig(**{kind: made})
        request = bank_pb2.CreateMemoryBankRequest(bank_id=bank_id, bank_name=bank_id, config=config)
        await self.stub.CreateMemoryBank(request)

    async def insert(
        self, bank_id: str, *documents: document_pb2.MemoryBankDocument, **terms: Any
    ) -> list[document_pb2.DocumentResult]:
        """Insert documents and return what became of each."""
        request = document_pb2.InsertDocumentsRequest(bank_id=bank_id, documents=documents, **terms)
        return list((await self.stub.InsertDocuments(request)).results)

    async def query(self, bank_id: str, text: str | None = None, **params: Any) -> query_pb2.QueryMemoryBankResponse:
        """Search a bank."""
        query = None if text is None else query_pb2.QueryText(text=text)
        settings = query_pb2.QueryParams(**params)
        return await self.stub.QueryMemoryBank(
            query_pb2.QueryMemoryBankRequest(bank_id=bank_id, query=query, params=settings)
        )

    async def found(self, bank_id: str, text: str | None = None, **params: Any) -> list[str]:
        """Return the ids of the documents that a query finds."""
        return [chunk.document_id for chunk in (await self.query(bank_id, text, **params)).chunks]


@asynccontextmanager
async def serving(
    store: Store,
    database_url: str,
    roots: Sequence[Path] = (),
    *,
    attachments: Attachments | None = None,
    client: Client | None = None,
    embedder: SmallEmbedder | None = None,
    sources: Sources | None = None,
) -> AsyncIterator[Served]:
    """Serve the memory banks of a store and a database."""
    clock = [time.time()]
    storage = Storage(StorageConfig(url=database_url))
    await migrate(storage, [MIGRATIONS])
    embedder = embedder or small_embedder()
    async with mesh_of({add_InferenceServiceServicer_to_server: embedder}) as behind:
        remembered = 1000 if storage.kind == SQLITE else 0
        documents = Documents(storage, lambda: clock[0], remembered)
        inference = Inference(behind.channel, 16)
        tools = Tools(sources or Sources(tuple(roots)), Reader(ReaderLimits()), documents, Extraction(inference))
        parts = Parts(
            banks=Banks(storage, store, lambda: clock[0], remembered),
            documents=documents,
            store=store,
            inference=inference,
            ingestion=Ingestion(Preparation(tools, 2000, lambda: clock[0]), Writing(inference, store, documents)),
            retrieval=Retrieval(store, documents, inference, Neighbourhoods(storage, lambda: clock[0])),
        )
        servicer = MemoryBanksServicer(Library(parts, "small", 16), lambda: clock[0])
        try:
            services: dict[AddToServer, Any] = {add_MemoryBanksServiceServicer_to_server: servicer}
            async with mesh_of(services, attachments=attachments, client=client) as mesh:
                yield Served(mesh, embedder, storage, store, documents, clock)
        finally:
            await documents.close()
            await store.close()
            await storage.close()


def document(document_id: str, text: str, /, mime_type: str = "", **metadata: Loose) -> document_pb2.MemoryBankDocument:
    """Return a document with a text."""
    return document_pb2.MemoryBankDocument(
        document_id=document_id,
        content=document_pb2.DocumentContent(data=text.encode()),
        metadata={name: value_of(value) for name, value in metadata.items()},
        mime_type=mime_type,
    )


def value(loose: Loose) -> JsonValue:
    """Return a JSON value."""
    return value_of(loose)


async def refused(call: Any) -> MeshError:
    """Return the error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc(caught.value)
