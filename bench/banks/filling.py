"""Ways to put vectors into banks; each returns documents per second.

A document is the text ``vector <row>``, and the embedder of the benchmark hands out that row for it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.banks.rest import Rest
from llamastack.memory.v1 import bank_pb2, document_pb2
from services.memory.conditions import Features
from services.memory.edge_store import EdgeStore
from services.memory.store import Piece, Shape, StoredChunk

BATCH = 1000
"""Documents per call."""
INSERTED = document_pb2.DOCUMENT_OUTCOME_INSERTED
Embed: TypeAlias = Callable[[Sequence[str]], Awaitable[Sequence[Sequence[float]]]]


async def into_store(vectors: npt.NDArray[np.float32], folder: Path) -> float:
    """Insert vectors into a store of its own in this process."""
    store = EdgeStore(folder, optimize_after=10 * len(vectors))
    await store.create("direct", Shape(vectors.shape[1], words=False))
    began = time.perf_counter()
    for start in range(0, len(vectors), BATCH):
        chunks = [
            StoredChunk(str(start + row), Piece(0, f"vector {start + row}", 0, 10, 4), Features(), vector.tolist())
            for row, vector in enumerate(vectors[start : start + BATCH])
        ]
        await store.write("direct", chunks)
    rate = len(vectors) / (time.perf_counter() - began)
    await store.close()
    return rate


async def texts_into_store(texts: Sequence[str], embed: Embed, store: EdgeStore, bank: str) -> float:
    """Embed texts and insert them into a store of this process."""
    began = time.perf_counter()
    vectors = await embed(texts)
    await store.create(bank, Shape(len(vectors[0]), words=False))
    chunks = [
        StoredChunk(str(row), Piece(0, text, 0, len(text), 4), Features(), vectors[row])
        for row, text in enumerate(texts)
    ]
    await store.write(bank, chunks)
    return len(texts) / (time.perf_counter() - began)


async def by_grpc(stub: Any, bank: str, texts: Sequence[str]) -> float:
    """Make a bank and insert texts by calls of many documents."""
    await stub.CreateMemoryBank(bank_pb2.CreateMemoryBankRequest(bank_id=bank, bank_name=bank))
    began = time.perf_counter()
    for start in range(0, len(texts), BATCH):
        documents = [_document(number, texts[number]) for number in range(start, min(start + BATCH, len(texts)))]
        answer = await stub.InsertDocuments(document_pb2.InsertDocumentsRequest(bank_id=bank, documents=documents))
        assert all(result.outcome == INSERTED for result in answer.results), answer
    return len(texts) / (time.perf_counter() - began)


async def by_stream(stub: Any, bank: str, texts: Sequence[str]) -> float:
    """Make a bank and insert texts by one call that tells of each document."""
    await stub.CreateMemoryBank(bank_pb2.CreateMemoryBankRequest(bank_id=bank, bank_name=bank))

    async def requests() -> AsyncIterator[document_pb2.BulkInsertDocumentsRequest]:
        yield document_pb2.BulkInsertDocumentsRequest(bank_id=bank, total=len(texts))
        for number, text in enumerate(texts):
            yield document_pb2.BulkInsertDocumentsRequest(document=_document(number, text))

    began = time.perf_counter()
    async for progress in stub.BulkInsertDocuments(requests()):
        assert progress.result.outcome == INSERTED, progress
    return len(texts) / (time.perf_counter() - began)


async def by_rest(client: Rest, bank: str, texts: Sequence[str]) -> float:
    """Make a bank and insert texts by requests of many documents."""
    await client.post(f"/memory_banks/create?bank_id={bank}&bank_name={bank}", [])
    began = time.perf_counter()
    for start in range(0, len(texts), BATCH):
        documents = [
            {"document_id": str(number), "content": texts[number], "metadata": {}, "mime_type": "text/plain"}
            for number in range(start, min(start + BATCH, len(texts)))
        ]
        answer = await client.post(f"/memory_bank/insert?bank_id={bank}", documents)
        assert all(result["outcome"] == "inserted" for result in answer["results"]), answer
    return len(texts) / (time.perf_counter() - began)


def _document(number: int, text: str) -> document_pb2.MemoryBankDocument:
    content = document_pb2.DocumentContent(data=text.encode())
    return document_pb2.MemoryBankDocument(document_id=str(number), content=content, mime_type="text/plain")
