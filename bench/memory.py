"""Insertion and search of memory banks: the engine, the store over it, our gRPC, our REST, and peers.

Vectors have 384 components, in clusters as embeddings lie, and come from a service that hands them out, so that what is
measured is not the embedder. They are inserted into the store in this process, by calls of many documents over gRPC and
over REST, and by the call that tells of each document. Queries bring their vectors and ask for 10; recall is against
the exact search of all vectors. All ways search the same bank in turns, some queries each, so that what else the
machine does hits all alike: first all queries as a service meets them that has just begun, then all again. Text is
embedded by the project's model, and the rate is compared with the embedder called with the same texts alone; then texts
are inserted and searched by the store called directly, over gRPC and over REST, embedding included. Peers are a flat
search in memory, as small in-process stores do it, and chromadb where an interpreter has it: in process beside our
store in process, and its server beside our service.

Usage: ``python bench/memory.py [--sizes 10000,100000] [--queries 500] [--texts 256] [--chroma PYTHON]``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from qdrant_edge import EdgeShard

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from bench.banks import asking, filling
from bench.banks.asking import K, Matrix, Searched, measured
from bench.banks.rest import Rest
from bench.banks.running import Addresses, channel, embedder, free_address, gateway, listening, memory, process
from llamastack.inference.v1.inference_pb2 import EmbeddingsRequest
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from llamastack.memory.v1 import bank_pb2
from llamastack.memory.v1.memory_banks_service_pb2_grpc import MemoryBanksServiceStub
from services.memory.edge_store import EdgeStore
from tests.corpus.judgement import questions

DIMENSION = 384
BATCH = 64
RECALL_BAR, GRPC_BAR_MS, REST_BAR_MS, TEXT_BAR = 0.99, 1.0, 2.0, 0.95


@dataclass(frozen=True)
class Data:
    """Vectors, queries, and the rows that are nearest to each query."""

    vectors: Matrix
    queries: Matrix
    truth: list[set[int]]


def dataset(size: int, queries: int) -> Data:
    """Return unit vectors in clusters, and queries from the same clusters."""
    random = np.random.default_rng(7)
    centres = random.standard_normal((max(16, size // 50), DIMENSION)).astype(np.float32)

    def some(count: int) -> Matrix:
        noise = random.standard_normal((count, DIMENSION)).astype(np.float32)
        rows = centres[random.integers(0, len(centres), count)] + 0.7 * noise
        unit: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    vectors, asked = some(size), some(queries)
    truth = [set(np.argsort(-(vectors @ query), kind="stable")[:K].tolist()) for query in asked]
    return Data(vectors, asked, truth)


async def vectors_of(size: int, arguments: argparse.Namespace, folder: Path) -> None:
    """Insert and search one number of vectors, and print what came of it."""
    data = dataset(size, arguments.queries)
    np.save(folder / "vectors.npy", data.vectors)
    np.save(folder / "queries.npy", data.queries)
    print(f"{size} vectors of {DIMENSION}", flush=True)
    rates = {"store": await filling.into_store(data.vectors, folder / "direct")}
    shutil.rmtree(folder / "direct")
    addresses = Addresses.free()
    with embedder(addresses, str(folder / "vectors.npy"), folder / "embedder.log"):
        rates |= await inserted(size, addresses, folder)
        figures = await searched(addresses, data, folder)
    told(figures)
    if arguments.chroma:
        chroma(arguments.chroma, folder, data, rates, figures)


async def inserted(size: int, addresses: Addresses, folder: Path) -> dict[str, float]:
    """Insert by every way that goes to the service, and leave the bank of the last one with its index.

    The index is built afterwards, so that its work takes nothing from the insertion.
    """
    texts = [f"vector {row}" for row in range(size)]
    rates: dict[str, float] = {}
    with memory(addresses, folder / "data", 10 * size):
        async with channel(addresses.memory) as connection:
            stub = MemoryBanksServiceStub(connection)
            with gateway(addresses, folder / "gateway.log"):
                client = await Rest.connect(addresses.gateway)
                rates["REST"] = await filling.by_rest(client, "rest", texts)
                client.close()
            await stub.DropMemoryBank(bank_pb2.DropMemoryBankRequest(bank_id="rest"))
            rates["gRPC stream"] = await filling.by_stream(stub, "stream", texts)
            await stub.DropMemoryBank(bank_pb2.DropMemoryBankRequest(bank_id="stream"))
            rates["gRPC"] = await filling.by_grpc(stub, "bench", texts)
    shard = EdgeShard.load(str(next((folder / "data" / "banks").iterdir())))
    began = time.perf_counter()
    shard.optimize()
    more = time.perf_counter() - began
    shard.close()
    shown = ", ".join(f"{name} {rate:.0f}/s" for name, rate in rates.items())
    print(f"  insert: {shown}; index {more:.0f} s more", flush=True)
    return rates


async def searched(addresses: Addresses, data: Data, folder: Path) -> dict[str, Searched]:
    """Search the bank by every way."""
    shard_folder = next((folder / "data" / "banks").iterdir())
    # the engine has one owner: a copy stands for it here
    for name in ("engine", "store"):
        await asyncio.to_thread(shutil.copytree, shard_folder, folder / name)
    shard = EdgeShard.load(str(folder / "engine"))
    store = EdgeStore(folder)
    with memory(addresses, folder / "data", 10 * len(data.vectors)):
        async with channel(addresses.memory) as connection:
            with gateway(addresses, folder / "gateway.log"):
                client = await Rest.connect(addresses.gateway)
                ways = {
                    "engine": asking.by_engine(shard),
                    "store": asking.by_store(store, "store"),
                    "gRPC": asking.by_grpc(MemoryBanksServiceStub(connection), "bench"),
                    "REST": asking.by_rest(client, "bench"),
                    "flat in process": asking.flat(data.vectors),
                }
                figures = await measured(ways, data.queries.tolist(), data.truth)
                client.close()
    shard.close()
    await store.close()
    return figures


def told(figures: dict[str, Searched]) -> None:
    """Print the figures beside the bars."""
    engine = figures["engine"]
    for name, one in figures.items():
        more = f"{one.p50 - engine.p50:+6.2f} ms over the engine" if name in {"store", "gRPC", "REST"} else ""
        shown = f"p50 {one.p50:6.2f} ms  p99 {one.p99:6.2f} ms  first {one.first:6.2f} ms"
        print(f"  {name:<16} {shown}  recall@{K} {one.recall:.4f}  {more}")
    bars = {
        f"recall >= {RECALL_BAR}": figures["gRPC"].recall >= RECALL_BAR,
        f"gRPC within {GRPC_BAR_MS:g} ms": figures["gRPC"].p50 - engine.p50 <= GRPC_BAR_MS,
        f"REST within {REST_BAR_MS:g} ms": figures["REST"].p50 - engine.p50 <= REST_BAR_MS,
    }
    print(f"  {_judged(bars)}", flush=True)


def chroma(python: str, folder: Path, data: Data, rates: dict[str, float], figures: dict[str, Searched]) -> None:
    """Print what chromadb makes of the same vectors and queries, in process and as a server."""
    files = [str(folder / name) for name in ("vectors.npy", "queries.npy", "chroma")]
    command = [python, str(ROOT / "bench/banks/chroma.py"), *files]
    _compared("in process", command, data, rates["store"], figures["store"])
    address = free_address()
    host, _, port = address.rpartition(":")
    server = [str(Path(python).parent / "chroma"), "run", "--path", str(folder / "served"), "--host", host]
    with process([*server, "--port", port], {}, folder / "chroma.log"):
        listening(address)
        _compared("as a server", [*command, address], data, rates["gRPC"], figures["gRPC"])


def _compared(how: str, command: list[str], data: Data, rate: float, ours: Searched) -> None:
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    right = sum(len(wanted.intersection(found)) for wanted, found in zip(data.truth, said["found"], strict=True))
    recall = right / (K * len(data.truth))
    print(f"  chromadb {how}: p50 {said['p50']:.2f} ms  recall@{K} {recall:.4f}  insert {said['rate']:.0f}/s")
    ahead = {
        f"ahead in insertion by {rate / said['rate']:.2f}": rate > said["rate"],
        f"in queries by {said['p50'] / ours.p50:.2f}": ours.p50 < said["p50"],
    }
    print(f"    ours {'in process' if how == 'in process' else 'over gRPC'}: {_judged(ahead)}", flush=True)


def _judged(bars: dict[str, bool]) -> str:
    return ", ".join(f"{bar}: {'yes' if good else 'NO'}" for bar, good in bars.items())


async def texts_of(count: int, folder: Path) -> None:
    """Insert texts that a real model embeds, beside the model alone with the same texts."""
    lines = [json.loads(line)["text"] for line in (ROOT / "tests/corpus/passages.jsonl").read_text().splitlines()]
    texts = [f"{lines[number % len(lines)]} ({number})" for number in range(count)]
    addresses = Addresses.free()
    alone, together = [], []
    with embedder(addresses, "builtin", folder / "embedder.log"), memory(addresses, folder / "data", 10_000):
        async with channel(addresses.embedder) as model, channel(addresses.memory) as connection:
            embeds, banks = InferenceServiceStub(model), MemoryBanksServiceStub(connection)
            for turn in range(3):
                began = time.perf_counter()
                await embedded(embeds, texts)
                alone.append(count / (time.perf_counter() - began))
                together.append(await filling.by_stream(banks, f"texts-{turn}", texts))
            ratio = median(ours / theirs for ours, theirs in zip(together, alone, strict=True))
            print(f"{count} texts: embedder alone {median(alone):.1f}/s, inserted over gRPC {median(together):.1f}/s")
            print(f"  ratio {ratio:.3f} (>= {TEXT_BAR}: {'yes' if ratio >= TEXT_BAR else 'NO'})", flush=True)
            with gateway(addresses, folder / "gateway.log"):
                await texts_by_all_ways(texts, embeds, banks, addresses.gateway, folder)


async def texts_by_all_ways(texts: Sequence[str], embeds: Any, banks: Any, address: str, folder: Path) -> None:
    """Insert and search texts by the store called directly, over gRPC and over REST."""
    client, store = await Rest.connect(address), EdgeStore(folder / "direct")
    rates = {
        "store": await filling.texts_into_store(texts, lambda some: embedded(embeds, some), store, "texts"),
        "gRPC": await filling.by_grpc(banks, "texts", texts),
        "REST": await filling.by_rest(client, "texts-rest", texts),
    }
    print("  insert: " + ", ".join(f"{name} {rate:.1f}/s" for name, rate in rates.items()), flush=True)
    ways = {
        "store": asking.text_by_store(embeds, store, "texts"),
        "gRPC": asking.text_by_grpc(banks, "texts"),
        "REST": asking.text_by_rest(client, "texts"),
    }
    asked = [question.text for question in questions()]
    vectors, wanted = np.array(await embedded(embeds, texts)), np.array(await embedded(embeds, asked))
    truth = [set(np.argsort(-(vectors @ query), kind="stable")[:K].tolist()) for query in wanted]
    figures = await measured(ways, asked, truth)
    client.close()
    await store.close()
    for name, one in figures.items():
        more = "" if name == "store" else f"{one.p50 - figures['store'].p50:+6.2f} ms over the store called directly"
        print(f"  {name:<16} p50 {one.p50:6.2f} ms  p99 {one.p99:6.2f} ms  recall@{K} {one.recall:.4f}  {more}")


async def embedded(stub: Any, texts: Sequence[str]) -> list[Sequence[float]]:
    """Embed texts with as many calls under way as the service has."""
    room = asyncio.Semaphore(2)

    async def some(start: int) -> list[Sequence[float]]:
        async with room:
            request = EmbeddingsRequest(model="bench", contents=texts[start : start + BATCH])
            return [one.values for one in (await stub.Embeddings(request)).embeddings]

    groups = await asyncio.gather(*(some(start) for start in range(0, len(texts), BATCH)))
    return [vector for group in groups for vector in group]


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
