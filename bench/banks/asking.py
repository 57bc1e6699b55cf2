"""Ways to search the same vectors or texts; each returns the rows that were found."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from qdrant_edge import EdgeShard, QueryRequest
from qdrant_edge import Query as EdgeQuery

from bench.banks.rest import Rest
from llamastack.inference.v1.inference_pb2 import EmbeddingsRequest
from llamastack.memory.v1 import query_pb2
from services.memory.edge_store import EdgeStore
from services.memory.store import Search

K = 10
TURN = 50
"""Queries that one way asks before the next way does."""

Matrix: TypeAlias = npt.NDArray[np.float32]
Query: TypeAlias = Sequence[float] | str
Ask: TypeAlias = Callable[[Any], Awaitable[list[int]]]
"""Takes a vector, or a text where it says so."""


@dataclass(frozen=True)
class Searched:
    """What queries took in milliseconds, and how much of the exact answer they found.

    ``first`` is the median of the first time that each query is asked, ``p50`` and ``p99`` are of the second one.
    """

    first: float
    p50: float
    p99: float
    recall: float


async def measured(ways: dict[str, Ask], queries: Sequence[Query], truth: list[set[int]]) -> dict[str, Searched]:
    """Search by every way in turns: all queries a first time, when little of the banks is in memory, and again."""
    firsts, right = await _took(ways, queries, truth)
    took, _ = await _took(ways, queries, truth)
    return {
        name: Searched(
            median(firsts[name]), median(took[name]), quantiles(took[name], n=100)[98], right[name] / (K * len(queries))
        )
        for name in ways
    }


async def _took(
    ways: dict[str, Ask], queries: Sequence[Query], truth: list[set[int]]
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Return what each query took in milliseconds by every way, and how many of the right rows were found."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    right = dict.fromkeys(ways, 0)
    for start in range(0, len(queries), TURN):
        some = queries[start : start + TURN]
        for name, ask in ways.items():
            # a turn begins with queries that do not count
            for query in some[: TURN // 5]:
                await ask(query)
            for number, query in enumerate(some, start=start):
                began = time.perf_counter()
                found = await ask(query)
                took[name].append((time.perf_counter() - began) * 1e3)
                right[name] += len(truth[number].intersection(found))
    return took, right


def by_grpc(stub: Any, bank: str) -> Ask:
    """Return a search over gRPC."""

    async def ask(vector: Sequence[float]) -> list[int]:
        request = query_pb2.QueryMemoryBankRequest(bank_id=bank, vector=query_pb2.QueryVector(values=vector))
        answer = await stub.QueryMemoryBank(request)
        return [int(chunk.document_id) for chunk in answer.chunks]

    return ask


def by_rest(client: Rest, bank: str) -> Ask:
    """Return a search over REST."""

    async def ask(vector: Sequence[float]) -> list[int]:
        answer = await client.post("/memory_bank/query", {"bank_id": bank, "vector": vector})
        return [int(chunk["document_id"]) for chunk in answer["chunks"]]

    return ask


def by_store(store: EdgeStore, bank: str) -> Ask:
    """Return a search of the store in this process."""

    async def ask(vector: Sequence[float]) -> list[int]:
        return [_row(hit.piece.text) for hit in await store.nearest(bank, vector, Search(limit=K))]

    return ask


def text_by_grpc(stub: Any, bank: str) -> Ask:
    """Return a search for a text over gRPC."""

    async def ask(text: str) -> list[int]:
        request = query_pb2.QueryMemoryBankRequest(bank_id=bank, query=query_pb2.QueryText(text=text))
        answer = await stub.QueryMemoryBank(request)
        return [int(chunk.document_id) for chunk in answer.chunks]

    return ask


def text_by_rest(client: Rest, bank: str) -> Ask:
    """Return a search for a text over REST."""

    async def ask(text: str) -> list[int]:
        answer = await client.post("/memory_bank/query", {"bank_id": bank, "query": text})
        return [int(chunk["document_id"]) for chunk in answer["chunks"]]

    return ask


def text_by_store(model: Any, store: EdgeStore, bank: str) -> Ask:
    """Return a search for a text by the embedder and the store of this process."""
    by_vector = by_store(store, bank)

    async def ask(text: str) -> list[int]:
        answer = await model.Embeddings(EmbeddingsRequest(model="bench", contents=[text]))
        return await by_vector(answer.embeddings[0].values)

    return ask


def by_engine(shard: EdgeShard) -> Ask:
    """Return a search of the engine in this thread."""

    async def ask(vector: Sequence[float]) -> list[int]:
        request = QueryRequest(limit=K, query=EdgeQuery.Nearest(list(vector), using="dense"), with_payload=True)
        return [_row(str(point.payload["text"])) for point in shard.query(request) if point.payload]

    return ask


def flat(vectors: Matrix) -> Ask:
    """Return a search of every vector, as in-process stores with a flat index do it."""

    async def ask(vector: Sequence[float]) -> list[int]:
        scores = vectors @ np.asarray(vector, dtype=np.float32)
        best = np.argpartition(-scores, K)[:K]
        return [int(row) for row in best[np.argsort(-scores[best])]]

    return ask


def _row(text: str) -> int:
    """Return the row that a text is of, which is its last word."""
    return int(text.split()[-1].strip("()"))
