"""The processes of the memory benchmarks: they begin, are waited for, and end with the block that they belong to."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection, socket

import grpc.aio
import httpx

ROOT = Path(__file__).resolve().parent.parent.parent
OPTIONS = [("grpc.max_receive_message_length", 1 << 26), ("grpc.max_send_message_length", 1 << 26)]
_START_S = 300


@dataclass(frozen=True)
class Addresses:
    """Where the processes of a benchmark listen."""

    embedder: str
    memory: str
    gateway: str

    @classmethod
    def free(cls) -> Addresses:
        """Return addresses that nobody listens on."""
        return cls(free_address(), free_address(), free_address())


def free_address() -> str:
    """Return an address that nobody listens on."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def process(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    """A process of this benchmark; at the end of the block it is asked to stop, and waited for."""
    path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}"}
    with log.open("a") as out:
        running = subprocess.Popen(command, env=os.environ | path | environment, stdout=out, stderr=out)
    try:
        yield
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait()


@contextmanager
def embedder(addresses: Addresses, source: str, log: Path) -> Iterator[None]:
    """What embeds: rows of a ``.npy`` file, or the project's model for ``builtin``."""
    command = [sys.executable, str(ROOT / "bench/banks/embedder.py"), addresses.embedder, source]
    with process(command, {}, log):
        listening(addresses.embedder)
        yield


@contextmanager
def memory(addresses: Addresses, data: Path, optimize_after: int) -> Iterator[None]:
    """The memory service."""
    environment = {
        "ALTIPLANO_MEMORY_BIND": addresses.memory,
        "ALTIPLANO_MEMORY_DATA": str(data),
        "ALTIPLANO_MEMORY_OPTIMIZE_AFTER": str(optimize_after),
        "ALTIPLANO_INFERENCE_ADDRESS": addresses.embedder,
    }
    with process([sys.executable, "-m", "services.memory"], environment, data.parent / "memory.log"):
        yield


@contextmanager
def gateway(addresses: Addresses, log: Path) -> Iterator[None]:
    """The gateway before the memory service."""
    environment = {
        "ALTIPLANO_GATEWAY_BIND": addresses.gateway,
        "ALTIPLANO_GATEWAY_UPSTREAMS": f"memory={addresses.memory}",
    }
    with process([sys.executable, "-m", "gateway"], environment, log):
        deadline = time.monotonic() + _START_S
        while not _ready(addresses.gateway):
            if time.monotonic() > deadline:
                raise SystemExit("the gateway did not start")
            time.sleep(0.2)
        yield


@asynccontextmanager
async def channel(address: str) -> AsyncIterator[grpc.aio.Channel]:
    """A connection to a process that is starting."""
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as made:
        await asyncio.wait_for(made.channel_ready(), _START_S)
        yield made


def listening(address: str) -> None:
    """Wait until somebody listens on an address."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + _START_S
    while True:
        try:
            create_connection((host, int(port)), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise SystemExit(f"nobody listens on {address}") from None
            time.sleep(0.1)


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
