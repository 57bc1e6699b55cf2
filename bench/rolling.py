"""Rolling restart under load: two replicas of a service are replaced in turn behind the mesh's client.

The evaluation service, since it shares its state by PostgreSQL alone: callers log metrics (which clients never repeat),
read them (repeated where the contract allows), and follow logs in streams. Printed are the failed unary calls, how
streams ended, and the share of the calls that each new replica got within one connection age of its start.

Usage: ``python bench/rolling.py [--age 10] [--rounds 2] [--callers 8]``
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # the package has no types
import grpc.aio
import httpx

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from llamastack.observability.v1 import experiment_pb2, log_pb2, metric_pb2
from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceStub
from mesh.client import Client, ClientConfig
from mesh.errors import from_rpc
from tests.integration.security.processes import process, until_it_serves
from tests.postgres import running_postgres

DRAIN_S, GRACE_S, PAUSE_S = 1.0, 2.0, 0.02
COUNTED = "rpc_server_call_duration_seconds_count"


@dataclass
class Outcome:
    """What a rolling restart did to callers; ``shares`` are those of the new replicas, in order."""

    calls: int = 0
    messages: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    streams: Counter[str] = field(default_factory=Counter)
    shares: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Replica:
    """One place of a replica: its ports, and the settings of its process."""

    port: int
    metrics: int
    settings: dict[str, str]
    log: Path

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run a process there; the block begins when it serves."""
        async with process("services.eval", self.log, self.settings) as started:
            await until_it_serves(f"127.0.0.1:{self.port}", started, self.log)
            yield

    async def served(self) -> float:
        """Return the calls that the process has answered."""
        async with httpx.AsyncClient(trust_env=False) as http:
            text = (await http.get(f"http://127.0.0.1:{self.metrics}/metrics", timeout=30)).text
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(COUNTED))


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that are free."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [listener.getsockname()[1] for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()


def replicas(database: str, folder: Path, age_s: int) -> list[Replica]:
    """Return two places for replicas over one database."""
    ports = free_ports(4)
    made = []
    for number, (port, metrics) in enumerate(zip(ports[:2], ports[2:], strict=True)):
        settings = {
            "BIND": f"127.0.0.1:{port}",
            "METRICS_PORT": str(metrics),
            "DATABASE_URL": database,
            "REPLICAS": "2",
            "DATA": str(folder / "data"),
            "DRAIN_DELAY_S": str(DRAIN_S),
            "DRAIN_GRACE_S": str(GRACE_S),
            "MAX_CONNECTION_AGE_S": str(age_s),
        }
        named = {f"ALTIPLANO_EVAL_{name}": value for name, value in settings.items()}
        made.append(Replica(port, metrics, named, folder / f"{number}.log"))
    return made


class Load:
    """Callers that go on until they are told to stop."""

    def __init__(self, stub: Any, run_id: str) -> None:
        self._stub = stub
        self._run = run_id
        self._stop = asyncio.Event()
        self.outcome = Outcome()

    def stop(self) -> None:
        """Let every caller finish what it is at."""
        self._stop.set()

    async def call(self, number: int) -> None:
        """Log and read metrics in turn, without end."""
        step = 0
        while not self._stop.is_set():
            step += 1
            metric = metric_pb2.Metric(name=f"m{number}", value=metric_pb2.MetricValue(integer=step), run_id=self._run)
            metric.timestamp.GetCurrentTime()
            calls = (
                lambda metric=metric: self._stub.LogMetrics(
                    metric_pb2.LogMetricsRequest(run_id=self._run, metrics=[metric]), timeout=30
                ),
                lambda: self._stub.GetRun(experiment_pb2.GetRunRequest(run_id=self._run), timeout=30),
            )
            for start in calls:
                self.outcome.calls += 1
                try:
                    await start()  # type: ignore[no-untyped-call]  # generated calls
                except grpc.aio.AioRpcError as error:
                    self.outcome.failures[f"{error.code().name} {error.details()}"] += 1
            await asyncio.sleep(PAUSE_S)

    async def follow(self) -> None:
        """Follow logs, and begin anew whenever a stream ends."""
        stopped = asyncio.ensure_future(self._stop.wait())
        while not self._stop.is_set():
            stream = self._stub.FollowLogs(log_pb2.LogSearchRequest(query=""))
            reading = asyncio.ensure_future(self._read(stream))
            await asyncio.wait((reading, stopped), return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                self.outcome.streams[reading.result()] += 1
                await asyncio.sleep(PAUSE_S)
            else:
                stream.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, stream: Any) -> str:
        """Read a stream to its end and return how that came."""
        try:
            async for _ in stream:
                self.outcome.messages += 1
        except grpc.aio.AioRpcError as error:
            return from_rpc(error).reason_name()
        return "finished"


async def roll(database: str, folder: Path, *, age_s: int, rounds: int, callers: int) -> Outcome:
    """Replace two replicas in turn, ``rounds`` times each, under the load of ``callers`` and two streams."""
    places = replicas(database, folder, age_s)
    target = "ipv4:" + ",".join(f"127.0.0.1:{place.port}" for place in places)
    async with Client(ClientConfig()) as client, AsyncExitStack() as stack:
        stacks = []
        for place in places:
            stacks.append(await stack.enter_async_context(AsyncExitStack()))
            await stacks[-1].enter_async_context(place.running())
        stub: Any = ObservabilityServiceStub(client.channel(target))
        made = await stub.CreateExperiment(experiment_pb2.CreateExperimentRequest(name="rolling"), wait_for_ready=True)
        run = await stub.CreateRun(experiment_pb2.CreateRunRequest(experiment_id=made.id))
        log = log_pb2.Log(message="a stream with a message is one that no client begins anew by itself", level="info")
        log.timestamp.GetCurrentTime()
        await stub.LogMessages(log_pb2.LogMessagesRequest(logs=[log]))
        load = Load(stub, run.id)
        tasks = [asyncio.create_task(load.call(number)) for number in range(callers)]
        tasks += [asyncio.create_task(load.follow()) for _ in range(2)]
        try:
            for turn in range(2 * rounds):
                number = turn % 2
                await asyncio.sleep(age_s / 2)
                await stacks[number].aclose()
                await stacks[number].enter_async_context(places[number].running())
                before, served = load.outcome.calls, await places[number].served()
                await asyncio.sleep(age_s)
                got = await places[number].served() - served
                load.outcome.shares.append(got / max(1, load.outcome.calls - before))
        finally:
            load.stop()
            await asyncio.gather(*tasks)
    return load.outcome


async def main(age_s: int, rounds: int, callers: int) -> None:
    """Roll over a PostgreSQL of one's own and print what happened."""
    with tempfile.TemporaryDirectory() as folder, running_postgres() as url:
        connection = await asyncpg.connect(url.format(name="postgres"))
        await connection.execute("CREATE DATABASE rolling")
        await connection.close()
        began = time.perf_counter()
        outcome = await roll(url.format(name="rolling"), Path(folder), age_s=age_s, rounds=rounds, callers=callers)
        seconds = time.perf_counter() - began
    print(f"{outcome.calls} unary calls in {seconds:.0f} s, {outcome.failures.total()} failed {dict(outcome.failures)}")
    print(f"streams ended: {dict(outcome.streams)}, after {outcome.messages} messages")
    print(f"share of each new replica within {age_s} s: {', '.join(f'{share:.0%}' for share in outcome.shares)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--age", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--callers", type=int, default=8)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.age, arguments.rounds, arguments.callers))
