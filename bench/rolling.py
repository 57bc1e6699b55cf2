"""Rolling restart under load: two replicas of each service are replaced in turn behind the mesh's client.

Replicas share their state as they do in a cluster: by PostgreSQL, memory by a Qdrant server too; gateways are behind an
HTTP client that knows both. Printed are, for each service, the failed unary calls, how streams ended, and the share of
the calls that each new replica got within one connection age of its start.

Usage: ``python bench/rolling.py [--service eval ...] [--age 10] [--rounds 2] [--callers 8]``
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # the package has no types

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from bench.restarts.duties import DUTIES, Around
from bench.restarts.model import parrot
from bench.restarts.places import Place, places
from bench.restarts.work import Load, Outcome
from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from llamastack.models.v1.models_service_pb2_grpc import add_ModelsServiceServicer_to_server
from mesh.client import Client, ClientConfig
from mesh.testing import mesh_of
from tests.integration.memory.qdrant_peer import qdrant_peer
from tests.postgres import running_postgres


async def roll(service: str, database: str, folder: Path, *, age_s: int, rounds: int, callers: int) -> Outcome:
    """Replace two replicas of a service in turn, ``rounds`` times each, under the load of ``callers`` and streams."""
    duty = DUTIES[service]
    servicer = parrot()
    model = {add_InferenceServiceServicer_to_server: servicer, add_ModelsServiceServicer_to_server: servicer}
    async with AsyncExitStack() as stack:
        behind = await stack.enter_async_context(mesh_of(model))
        vectors = stack.enter_context(qdrant_peer())
        around = Around(database, behind.address, vectors.url, vectors.key)
        found = places(service, duty.settings(around), folder, age_s)
        running = [await stack.enter_async_context(AsyncExitStack()) for _ in found]
        for each, place in zip(running, found, strict=True):
            await each.enter_async_context(place.running())
        client = await stack.enter_async_context(Client(ClientConfig()))
        load = Load(await duty.begin(client, found), callers)
        try:
            for turn in range(2 * rounds):
                number = turn % 2
                await asyncio.sleep(age_s / 2)
                await running[number].aclose()
                await running[number].enter_async_context(found[number].running())
                load.outcome.shares.append(await share(found, number, age_s))
        finally:
            await load.stop()
    return load.outcome


async def share(found: list[Place], number: int, seconds: float) -> float:
    """Return the part of the calls of the next seconds that one of the replicas answers."""
    before = [await place.served() for place in found]
    await asyncio.sleep(seconds)
    got = [await place.served() - earlier for place, earlier in zip(found, before, strict=True)]
    return got[number] / max(1.0, sum(got))


async def made_database(server: str, name: str) -> str:
    """Make a database and return its URL."""
    connection = await asyncpg.connect(server.format(name="postgres"))
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    return server.format(name=name)


async def main(services: list[str], age_s: int, rounds: int, callers: int) -> None:
    """Roll services over a PostgreSQL of one's own and print what happened."""
    with tempfile.TemporaryDirectory() as folder, running_postgres() as server:
        for service in services:
            database = await made_database(server, service)
            began = time.perf_counter()
            outcome = await roll(service, database, Path(folder), age_s=age_s, rounds=rounds, callers=callers)
            print(
                f"{service:10} {outcome.calls:6} unary calls in {time.perf_counter() - began:3.0f} s, "
                f"{outcome.failures.total()} failed {dict(outcome.failures)}; streams {dict(outcome.streams)} after "
                f"{outcome.messages} messages; new replicas within {age_s} s "
                f"{', '.join(f'{one:.0%}' for one in outcome.shares)}",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", action="append", choices=[*DUTIES])
    parser.add_argument("--age", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--callers", type=int, default=8)
    given = parser.parse_args()
    asyncio.run(main(given.service or [*DUTIES], given.age, given.rounds, given.callers))
