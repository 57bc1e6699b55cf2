"""What a request costs in our gateway, in Envoy's gRPC-JSON transcoder and in a plain FastAPI gateway.

All run at once on the same machine, before the same canned gRPC service, and take turns in short rounds; figures
are medians over the rounds. The cost of a request is counted twice: in instructions, user and kernel, where the machine
counts them, and in the CPU time of the gateway's process. Instructions hold still when others use the machine, CPU time
nearly so, unlike rates and latencies; goals are judged by instructions, or by CPU time where there are none. Ours runs
as it would in production: API keys, signed identities, metrics, access log, limits, and every hundredth trace sent to a
collector. Where there are two cores, gateways have one and the rest has the other.

Usage: ``python bench/gateway.py [--seconds 1] [--rounds 3] [--concurrency 1,32] [--only envoy,fastapi,ours-grpc,ours]``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from socket import create_connection, socket
from statistics import median, quantiles
from typing import Any

import uvloop
from envoy import _bin  # type: ignore[import-untyped]  # it has no types

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from bench.gateways import plain
from bench.gateways.bodies import SERVICE, STREAM, Case, cases
from bench.gateways.load import Connection
from mesh.auth.apikeys import new_key

ENVOY, FASTAPI, OURS, OURS_GRPC = "envoy", "fastapi", "ours", "ours-grpc"
BARS = {"unary": (1.0, 3.0), "SSE": (0.5, 0.0)}
_START_S = 60.0


@dataclass(frozen=True)
class Gateway:
    """A gateway that runs: its process and port, and the whole HTTP request that each case is."""

    name: str
    pid: int
    port: int
    request: Callable[[Case], bytes]


@dataclass(frozen=True)
class Figures:
    """One measurement.

    ``instructions`` of a request in thousands, 0 where they are not counted; its ``cpu`` time in microseconds; ``rate``
    per second; latencies in ms.
    """

    instructions: float
    cpu: float
    rate: float
    p50: float
    p99: float


async def load(gateway: Gateway, case: Case, concurrency: int, seconds: float) -> list[float]:
    """Return the seconds that each answer took; every connection has one request under way at a time."""
    took: list[float] = []
    deadline = time.perf_counter() + seconds
    make = partial(Connection, gateway.request(case), deadline, took, case.rpc == STREAM)
    loop = asyncio.get_running_loop()
    connections = [(await loop.create_connection(make, "127.0.0.1", gateway.port)) for _ in range(concurrency)]
    try:
        await asyncio.gather(*(protocol.done for _, protocol in connections))
    finally:
        for transport, _ in connections:
            transport.close()
    return took


class CpuTime:
    """Counts microseconds of CPU, user and kernel, of all threads of a process."""

    def __init__(self, pid: int) -> None:
        # the clock of a process by its id, as clock_getcpuclockid(3) makes it
        self._clock = (~pid << 3) | 2
        self._before = time.clock_gettime_ns(self._clock)

    def stop(self) -> float:
        """Return the count since the beginning."""
        return (time.clock_gettime_ns(self._clock) - self._before) / 1e3


class Instructions:
    """Counts thousands of instructions, user and kernel, of all threads of a process."""

    def __init__(self, pid: int) -> None:
        command = ["perf", "stat", "-x,", "-e", "instructions:u,instructions:k", "-p", str(pid)]
        self._perf = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def stop(self) -> float:
        """Return the count since the beginning; 0 if the machine does not count."""
        self._perf.send_signal(signal.SIGINT)
        lines = self._perf.communicate()[1].splitlines()
        counts = [line.partition(",")[0] for line in lines if "instructions" in line]
        return sum(int(count) for count in counts if count.isdigit()) / 1e3


class Nothing:
    """Counts nothing, where the machine does not count instructions."""

    def __init__(self, pid: int) -> None:
        """Take what counting takes."""

    def stop(self) -> float:
        """Return 0."""
        return 0.0


def counter() -> type[Instructions] | type[Nothing]:
    """Return what counts instructions here."""
    try:
        perf = Instructions(os.getpid())
        time.sleep(0.3)
        return Instructions if perf.stop() else Nothing
    except OSError:
        return Nothing


async def measure(gateway: Gateway, case: Case, concurrency: int, seconds: float, counts: Any) -> Figures:
    """Load a gateway for some seconds."""
    await load(gateway, case, concurrency, seconds / 5)
    count, cpu = counts(gateway.pid), CpuTime(gateway.pid)
    began = time.perf_counter()
    took = await load(gateway, case, concurrency, seconds)
    spent = cpu.stop() / len(took)
    rate = len(took) / (time.perf_counter() - began)
    cuts = quantiles([t * 1e3 for t in took], n=100) if len(took) > 1 else [took[0] * 1e3] * 99
    return Figures(count.stop() / len(took), spent, rate, cuts[49], cuts[98])


@contextmanager
def process(arguments: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of this benchmark, with the project on its path; it is ended with the block."""
    path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}"}
    with log.open("w") as errors:
        running = subprocess.Popen(
            arguments, env=os.environ | path | environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            yield running
        finally:
            running.terminate()
            running.wait()


def apart(gateways: list[Gateway], service: int) -> None:
    """Give the gateways a core of their own, so that they keep their caches."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        for thread in (thread for gateway in gateways for thread in os.listdir(f"/proc/{gateway.pid}/task")):
            os.sched_setaffinity(int(thread), cores[:1])
        for thread in ("0", *os.listdir(f"/proc/{service}/task")):
            os.sched_setaffinity(int(thread), cores[1:])


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(running: subprocess.Popen[str], port: int, log: Path) -> None:
    """Return when the port takes connections."""
    deadline = time.monotonic() + _START_S
    while True:
        if running.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"a gateway did not start:\n{log.read_text()[-2000:]}")
        try:
            create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)


def post(path: str, body: bytes, headers: str = "") -> bytes:
    """Return a whole HTTP request."""
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\ncontent-type: application/json\r\n"
    return f"{head}{headers}content-length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def envoy(upstream: int, folder: Path) -> Iterator[Gateway]:
    """Envoy with the transcoder on our descriptors."""
    port, config, log = free_port(), folder / "envoy.json", folder / "envoy.log"
    config.write_text(json.dumps(envoy_config(port, upstream)))
    binary = Path(_bin.__file__).with_name("envoy")
    command = [str(binary), "-c", str(config), "--concurrency", "1", "--use-dynamic-base-id", "-l", "warning"]

    def request(case: Case) -> bytes:
        path = case.rpc if case.rpc == STREAM else "/inference/chat_completion"
        return post(path, case.proto_json)

    with process(command, {}, log) as running:
        wait_for(running, port, log)
        yield Gateway(ENVOY, running.pid, port, request)


def envoy_config(port: int, upstream: int) -> dict[str, Any]:
    """Return a bootstrap with one listener, the transcoder and one cluster."""

    def typed(kind: str, **fields: Any) -> dict[str, Any]:
        return {"@type": f"type.googleapis.com/envoy.extensions.{kind}", **fields}

    def address(number: int) -> dict[str, Any]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    transcoder = typed(
        "filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor=str(ROOT / "gen" / "llamastack" / "descriptors.binpb"),
        services=[SERVICE],
        auto_mapping=True,
        print_options={"preserve_proto_field_names": True, "stream_sse_style_delimited": True},
    )
    router = typed("filters.http.router.v3.Router")
    route = {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "60s"}}
    manager = typed(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="bench",
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        http_filters=[
            {"name": "envoy.filters.http.grpc_json_transcoder", "typed_config": transcoder},
            {"name": "envoy.filters.http.router", "typed_config": router},
        ],
    )
    manager_filter = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    listener = {"name": "http", "address": address(port), "filter_chains": [{"filters": [manager_filter]}]}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}]
    http2 = typed("upstreams.http.v3.HttpProtocolOptions", explicit_http_config={"http2_protocol_options": {}})
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "upstream", "endpoints": endpoints},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


@contextmanager
def fastapi(upstream: int, folder: Path) -> Iterator[Gateway]:
    """The gateway that one would write by hand."""
    port, log = free_port(), folder / "fastapi.log"
    environment = {"PORT": str(port), "UPSTREAM": f"127.0.0.1:{upstream}"}

    def request(case: Case) -> bytes:
        return post(plain.STREAM_PATH if case.rpc == STREAM else plain.PATH, case.proto_json)

    with process([sys.executable, "-m", "bench.gateways.plain"], environment, log) as running:
        wait_for(running, port, log)
        yield Gateway(FASTAPI, running.pid, port, request)


@contextmanager
def ours(upstream: int, folder: Path, name: str = OURS, transport: str = "lean") -> Iterator[Gateway]:
    """The gateway of the mesh, all features on."""
    port, log = free_port(), folder / f"{name}.log"
    key, digest = new_key()
    entry = {"name": "bench", "tenant": "bench", "sha256": digest, "scopes": ["inference:use"]}
    environment = {
        "ALTIPLANO_GATEWAY_BIND": f"127.0.0.1:{port}",
        "ALTIPLANO_GATEWAY_TRANSPORT": transport,
        "ALTIPLANO_GATEWAY_UPSTREAMS": f"inference=127.0.0.1:{upstream}",
        "ALTIPLANO_GATEWAY_METRICS_PORT": "0",
        "ALTIPLANO_TRACE_RATIO": "0.01",
        "ALTIPLANO_OTLP_ENDPOINT": f"http://127.0.0.1:{upstream}",
        "ALTIPLANO_API_KEYS": json.dumps([entry]),
        "ALTIPLANO_MESH_SECRET": "a secret that only this benchmark knows",
    }

    def request(case: Case) -> bytes:
        return post("/inference/chat_completion", case.rfc_json, f"x-api-key: {key}\r\n")

    with process([sys.executable, "-m", "gateway"], environment, log) as running:
        wait_for(running, port, log)
        yield Gateway(name, running.pid, port, request)


Results = dict[tuple[str, int], dict[str, Figures]]


async def run(gateways: list[Gateway], options: argparse.Namespace, counts: Any) -> Results:
    """Measure every case at every concurrency, the gateways in turns."""
    results: Results = {}
    for case in cases():
        for concurrency in options.concurrency:
            rounds: dict[str, list[Figures]] = {gateway.name: [] for gateway in gateways}
            for _ in range(options.rounds):
                for gateway in gateways:
                    figures = await measure(gateway, case, concurrency, options.seconds, counts)
                    rounds[gateway.name].append(figures)
            results[case.name, concurrency] = {name: middle(figures) for name, figures in rounds.items()}
            row(case.name, concurrency, results[case.name, concurrency])
    return results


def middle(rounds: list[Figures]) -> Figures:
    """Return the medians."""
    return Figures(*(median(getattr(figures, name) for figures in rounds) for name in Figures.__dataclass_fields__))


def row(case: str, concurrency: int, found: dict[str, Figures]) -> None:
    """Print one case's figures and ratios."""
    for name, f in found.items():
        ratios = ""
        if OURS in found:
            ratios = " ".join(
                f"{ratio:7.2f}x" for ratio in (by(f, found[OURS], "instructions"), by(f, found[OURS], "cpu"))
            )
        line = f"{f.instructions:9.1f} {f.cpu:9.1f} {f.rate:9.0f} {f.p50:9.2f} {f.p99:9.2f}"
        print(f"{case:16} {concurrency:3} {name:9} {line} {ratios}", flush=True)


def by(one: Figures, other: Figures, measure: str) -> float:
    """Return how many times the one costs what the other does; 0 where it is not counted."""
    whole: float = getattr(other, measure)
    return getattr(one, measure) / whole if whole else 0.0


def verdict(results: Results) -> None:
    """Print the goals and whether they are met."""
    print()
    for (case, concurrency), found in results.items():
        for peer, bar in zip((ENVOY, FASTAPI), BARS[case.split()[0]], strict=True):
            if bar and peer in found and OURS in found:
                ratio = by(found[peer], found[OURS], "instructions") or by(found[peer], found[OURS], "cpu")
                met = "met" if ratio >= bar else "missed"
                print(f"{case} at {concurrency}: {ratio:.2f}x {peer}, goal {bar:g}x: {met}")


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=lambda text: [int(part) for part in text.split(",")], default=[1, 32])
    parser.add_argument("--only", type=lambda text: text.split(","), default=[ENVOY, FASTAPI, OURS_GRPC, OURS])
    options = parser.parse_args()
    counts = counter()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        canned = stack.enter_context(
            process([sys.executable, "-m", "bench.gateways.canned"], {}, folder / "canned.log")
        )
        upstream = int(canned.stdout.readline())  # type: ignore[union-attr]  # it is a pipe
        makers: dict[str, Callable[..., AbstractContextManager[Gateway]]] = {
            ENVOY: envoy,
            FASTAPI: fastapi,
            OURS: ours,
            OURS_GRPC: partial(ours, name=OURS_GRPC, transport="grpc"),
        }
        gateways = [stack.enter_context(makers[name](upstream, folder)) for name in options.only]
        apart(gateways, canned.pid)
        columns = f"{'kinstr':>9} {'us CPU':>9} {'req/s':>9} {'p50 ms':>9} {'p99 ms':>9}"
        print(f"{'':16} {'c':>3} {'':9} {columns}  costs / ours: kinstr, CPU")
        verdict(uvloop.run(run(gateways, options, counts)))


if __name__ == "__main__":
    main()
