"""Insertion and search of memory banks: the engine, the store over it, our gRPC, our REST, and in-process peers.

Vectors have 384 components, in clusters as embeddings lie, and come from a service that hands them out, so that what is
measured is not the embedder. Queries bring their vectors and ask for 10; recall is against the exact search of all
vectors. All ways search the same bank in turns, some queries each, so that what else the machine does hits all alike.
Text is embedded by the project's model, and the rate is compared with the embedder called with the same texts alone.
Peers are a flat search in memory, as small in-process stores do it, and chromadb where an interpreter has it.

Usage: ``python bench/memory.py [--sizes 10000,100000] [--queries 500] [--texts 256] [--chroma PYTHON]``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from statistics import median, quantiles
from typing import Any

import grpc.aio
import httpx
import numpy as np
import numpy.typing as npt
from qdrant_edge import EdgeShard, Query, QueryRequest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from bench.banks.rest import Rest
from llamastack.inference.v1.inference_pb2 import EmbeddingsRequest
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from llamastack.memory.v1 import bank_pb2, document_pb2, query_pb2
from llamastack.memory.v1.memory_banks_service_pb2_grpc import MemoryBanksServiceStub
from services.memory.conditions import Features
from services.memory.edge_store import EdgeStore
from services.memory.store import Piece, Search, Shape, StoredChunk

DIMENSION = 384
K = 10
BATCH = 64
TURN = 50
"""Queries that one way asks before the next way does."""
RECALL_BAR, GRPC_BAR_MS, REST_BAR_MS, TEXT_BAR = 0.99, 1.0, 2.0, 0.95
OPTIONS = [("grpc.max_receive_message_length", 1 << 26), ("grpc.max_send_message_length", 1 << 26)]

Matrix = npt.NDArray[np.float32]
Ask = Callable[[Sequence[float]], Awaitable[list[int]]]
"""Searches with a vector and returns the rows that were found."""


@dataclass(frozen=True)
class Searched:
    """What queries took in milliseconds, and how much of the exact answer they found."""

    p50: float
    p99: float
    recall: float


@dataclass(frozen=True)
class Addresses:
    """Where the processes of this benchmark listen."""

    embedder: str
    memory: str
    gateway: str


def dataset(size: int, queries: int) -> tuple[Matrix, Matrix]:
    """Return unit vectors in clusters, and queries from the same clusters."""
    random = np.random.default_rng(7)
    centres = random.standard_normal((max(16, size // 50), DIMENSION)).astype(np.float32)

    def some(count: int) -> Matrix:
        noise = random.standard_normal((count, DIMENSION)).astype(np.float32)
        rows = centres[random.integers(0, len(centres), count)] + 0.7 * noise
        unit: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    return some(size), some(queries)


def exact(vectors: Matrix, queries: Matrix) -> list[set[int]]:
    """Return the rows nearest to each query."""
    return [set(np.argsort(-(vectors @ query), kind="stable")[:K].tolist()) for query in queries]


def free_address() -> str:
    """Return an address that nobody listens on."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def process(arguments: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    """A process of this benchmark; at the end of the block it is asked to stop, and waited for."""
    path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}"}
    with log.open("a") as out:
        running = subprocess.Popen(
            [sys.executable, *arguments], env=os.environ | path | environment, stdout=out, stderr=out
        )
    try:
        yield
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait()


@asynccontextmanager
async def channel(address: str) -> AsyncIterator[grpc.aio.Channel]:
    """A connection to a process that is starting."""
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as made:
        await asyncio.wait_for(made.channel_ready(), 300)
        yield made


@contextmanager
def memory(addresses: Addresses, data: Path, optimize_after: int) -> Iterator[None]:
    """The memory service as a process."""
    environment = {
        "ALTIPLANO_MEMORY_BIND": addresses.memory,
        "ALTIPLANO_MEMORY_DATA": str(data),
        "ALTIPLANO_MEMORY_OPTIMIZE_AFTER": str(optimize_after),
        "ALTIPLANO_INFERENCE_ADDRESS": addresses.embedder,
    }
    with process(["-m", "services.memory"], environment, data.parent / "memory.log"):
        yield


async def fill(stub: Any, bank: str, texts: Sequence[str]) -> float:
    """Make a vector bank, insert a document for each text, and return documents per second."""
    await stub.CreateMemoryBank(bank_pb2.CreateMemoryBankRequest(bank_id=bank, bank_name=bank))

    async def requests() -> AsyncIterator[document_pb2.BulkInsertDocumentsRequest]:
        yield document_pb2.BulkInsertDocumentsRequest(bank_id=bank, total=len(texts))
        for number, text in enumerate(texts):
            content = document_pb2.DocumentContent(data=text.encode())
            document = document_pb2.MemoryBankDocument(document_id=str(number), content=content, mime_type="text/plain")
            yield document_pb2.BulkInsertDocumentsRequest(document=document)

    began = time.perf_counter()
    async for progress in stub.BulkInsertDocuments(requests()):
        assert progress.result.outcome == document_pb2.DOCUMENT_OUTCOME_INSERTED, progress
    return len(texts) / (time.perf_counter() - began)


async def stored_rate(vectors: Matrix, folder: Path) -> float:
    """Insert vectors into a store of its own, and return how many per second."""
    store = EdgeStore(folder, optimize_after=10 * len(vectors))
    await store.create("direct", Shape(DIMENSION, words=False))
    began = time.perf_counter()
    for start in range(0, len(vectors), 256):
        chunks = [
            StoredChunk(str(start + row), Piece(0, f"vector {start + row}", 0, 10, 4), Features(), vector.tolist())
            for row, vector in enumerate(vectors[start : start + 256])
        ]
        await store.write("direct", chunks)
    rate = len(vectors) / (time.perf_counter() - began)
    await store.close()
    return rate


async def measured(ways: dict[str, Ask], queries: Matrix, truth: list[set[int]]) -> dict[str, Searched]:
    """Search by every way in turns, each beginning with queries that do not count."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    right = dict.fromkeys(ways, 0)
    for start in range(0, len(queries), TURN):
        some = [query.tolist() for query in queries[start : start + TURN]]
        for name, ask in ways.items():
            for vector in some[: TURN // 5]:
                await ask(vector)
            for number, vector in enumerate(some, start=start):
                began = time.perf_counter()
                found = await ask(vector)
                took[name].append((time.perf_counter() - began) * 1e3)
                right[name] += len(truth[number].intersection(found))
    return {
        name: Searched(median(took[name]), quantiles(took[name], n=100)[98], right[name] / (K * len(queries)))
        for name in ways
    }


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
        return [int(hit.piece.text.split()[-1]) for hit in await store.nearest(bank, vector, Search(limit=K))]

    return ask


def by_engine(shard: EdgeShard) -> Ask:
    """Return a search of the engine in this thread."""

    async def ask(vector: Sequence[float]) -> list[int]:
        request = QueryRequest(limit=K, query=Query.Nearest(list(vector), using="dense"), with_payload=True)
        return [int(str(point.payload["text"]).split()[-1]) for point in shard.query(request) if point.payload]

    return ask


def flat(vectors: Matrix) -> Ask:
    """Return a search of every vector, as in-process stores with a flat index do it."""

    async def ask(vector: Sequence[float]) -> list[int]:
        scores = vectors @ np.asarray(vector, dtype=np.float32)
        best = np.argpartition(-scores, K)[:K]
        return [int(row) for row in best[np.argsort(-scores[best])]]

    return ask


async def vectors_of(size: int, arguments: argparse.Namespace, folder: Path) -> None:
    """Insert and search one number of vectors, and print what came of it."""
    vectors, queries = dataset(size, arguments.queries)
    truth = exact(vectors, queries)
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "queries.npy", queries)
    addresses = Addresses(free_address(), free_address(), free_address())
    data = folder / "data"
    print(f"{size} vectors of {DIMENSION}")
    direct_rate = await stored_rate(vectors, folder / "direct")
    command = [str(ROOT / "bench/banks/embedder.py"), addresses.embedder, str(folder / "vectors.npy")]
    with process(command, {}, folder / "embedder.log"):
        async with channel(addresses.embedder):
            pass
        # the index is built when the service ends, as it is in the background while it runs
        with memory(addresses, data, size):
            async with channel(addresses.memory) as connection:
                texts = [f"vector {row}" for row in range(size)]
                rate = await fill(MemoryBanksServiceStub(connection), "bench", texts)
            began = time.perf_counter()
        print(f"  insert: store {direct_rate:.0f}/s, gRPC {rate:.0f}/s; index {time.perf_counter() - began:.0f} s more")
        shard_folder = next((data / "banks").iterdir())
        # the engine has one owner: a copy stands for it here
        for name in ("engine", "store"):
            await asyncio.to_thread(shutil.copytree, shard_folder, folder / name)
        await searched(size, addresses, (vectors, queries, truth), data)
    if arguments.chroma:
        chroma(arguments.chroma, folder, truth)


async def searched(size: int, addresses: Addresses, asked: tuple[Matrix, Matrix, list[set[int]]], data: Path) -> None:
    """Search the bank by every way and print the figures beside the bars."""
    vectors, queries, truth = asked
    folder = data.parent
    shard = EdgeShard.load(str(folder / "engine"))
    store = EdgeStore(folder)
    upstream = {
        "ALTIPLANO_GATEWAY_BIND": addresses.gateway,
        "ALTIPLANO_GATEWAY_UPSTREAMS": f"memory={addresses.memory}",
    }
    with memory(addresses, data, 10 * size), process(["-m", "gateway"], upstream, folder / "gateway.log"):
        async with channel(addresses.memory) as connection:
            await asyncio.to_thread(ready, addresses.gateway)
            client = await Rest.connect(addresses.gateway)
            ways = {
                "engine": by_engine(shard),
                "store": by_store(store, "store"),
                "gRPC": by_grpc(MemoryBanksServiceStub(connection), "bench"),
                "REST": by_rest(client, "bench"),
                "flat in process": flat(vectors),
            }
            figures = await measured(ways, queries, truth)
            client.close()
    shard.close()
    await store.close()
    engine = figures["engine"]
    for name, one in figures.items():
        more = f"{one.p50 - engine.p50:+6.2f} ms over the engine" if name in {"store", "gRPC", "REST"} else ""
        print(f"  {name:<16} p50 {one.p50:6.2f} ms  p99 {one.p99:6.2f} ms  recall@{K} {one.recall:.4f}  {more}")
    met = [
        figures["gRPC"].recall >= RECALL_BAR,
        figures["gRPC"].p50 - engine.p50 <= GRPC_BAR_MS,
        figures["REST"].p50 - engine.p50 <= REST_BAR_MS,
    ]
    bars = (f"recall >= {RECALL_BAR}", f"gRPC within {GRPC_BAR_MS:g} ms", f"REST within {REST_BAR_MS:g} ms")
    print("  " + ", ".join(f"{bar}: {'yes' if good else 'NO'}" for bar, good in zip(bars, met, strict=True)))


def ready(gateway: str) -> None:
    """Wait for the gateway."""
    deadline = time.monotonic() + 120
    while True:
        try:
            if httpx.get(f"http://{gateway}/readyz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise SystemExit("the gateway did not start")
        time.sleep(0.2)


def chroma(python: str, folder: Path, truth: list[set[int]]) -> None:
    """Print what chromadb makes of the same vectors and queries."""
    files = [str(folder / name) for name in ("vectors.npy", "queries.npy", "chroma")]
    command = [python, str(ROOT / "bench/banks/chroma.py"), *files]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    right = sum(len(wanted.intersection(found)) for wanted, found in zip(truth, said["found"], strict=True))
    recall = right / (K * len(truth))
    print(f"  chromadb         p50 {said['p50']:6.2f} ms  recall@{K} {recall:.4f}  insert {said['rate']:.0f}/s")


async def texts_of(count: int, folder: Path) -> None:
    """Insert texts that a real model embeds, beside the model alone with the same texts."""
    lines = [json.loads(line)["text"] for line in (ROOT / "tests/corpus/passages.jsonl").read_text().splitlines()]
    texts = [f"{lines[number % len(lines)]} ({number})" for number in range(count)]
    addresses = Addresses(free_address(), free_address(), free_address())
    command = [str(ROOT / "bench/banks/embedder.py"), addresses.embedder, "builtin"]
    with process(command, {}, folder / "embedder.log"), memory(addresses, folder / "data", 10_000):
        async with channel(addresses.embedder) as embedder, channel(addresses.memory) as connection:
            alone, together = [], []
            for turn in range(3):
                alone.append(await embedded(InferenceServiceStub(embedder), texts))
                together.append(await fill(MemoryBanksServiceStub(connection), f"texts-{turn}", texts))
    ratio = median(ours / theirs for ours, theirs in zip(together, alone, strict=True))
    print(f"{count} texts: embedder alone {median(alone):.1f}/s, inserted over gRPC {median(together):.1f}/s")
    print(f"  ratio {ratio:.3f} (>= {TEXT_BAR}: {'yes' if ratio >= TEXT_BAR else 'NO'})")


async def embedded(stub: Any, texts: Sequence[str]) -> float:
    """Embed texts with as many calls under way as the service has, and return texts per second."""
    room = asyncio.Semaphore(2)

    async def some(start: int) -> None:
        async with room:
            await stub.Embeddings(EmbeddingsRequest(model="bench", contents=texts[start : start + BATCH]))

    began = time.perf_counter()
    await asyncio.gather(*(some(start) for start in range(0, len(texts), BATCH)))
    return len(texts) / (time.perf_counter() - began)


def main() -> None:
    """Measure everything that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000", help="Numbers of vectors; empty for none.")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--texts", type=int, default=256, help="Number of texts; 0 for none.")
    parser.add_argument("--chroma", default="", help="A Python that has chromadb, to compare with it.")
    arguments = parser.parse_args()
    for size in filter(None, arguments.sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(vectors_of(int(size), arguments, Path(folder)))
    if arguments.texts:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(texts_of(arguments.texts, Path(folder)))


if __name__ == "__main__":
    main()
