"""The places where replicas run: their ports, their settings, and how many calls each has answered."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from tests.integration.security.processes import process, until_it_answers, until_it_serves

GATEWAY: Final = "gateway"
DRAIN_S: Final = 1.0
"""Seconds that a replica goes on taking calls after it said that it goes."""
GRACE_S: Final = 2.0
"""Seconds that what is under way then has."""
_COUNTED: Final = ("rpc_server_call_duration_seconds_count", "http_server_request_duration_seconds_count")


@dataclass(frozen=True)
class Place:
    """One place of a replica: its ports, and the settings of its process."""

    service: str
    port: int
    metrics: int
    settings: dict[str, str]
    log: Path

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run a process there; the block begins when it serves."""
        module = self.service if self.service == GATEWAY else f"services.{self.service}"
        async with process(module, self.log, self.settings) as started:
            if self.service == GATEWAY:
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", trust_env=False) as http:
                    await until_it_answers(http)
            else:
                await until_it_serves(f"127.0.0.1:{self.port}", started, self.log)
            yield

    async def served(self) -> float:
        """Return the calls that the process has answered."""
        async with httpx.AsyncClient(trust_env=False) as http:
            text = (await http.get(f"http://127.0.0.1:{self.metrics}/metrics", timeout=30)).text
        counts = [line for line in text.splitlines() if line.startswith(_COUNTED)]
        return sum(float(line.rpartition(" ")[2]) for line in counts)


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that are free."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [listener.getsockname()[1] for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()


def places(service: str, own: Mapping[str, str], folder: Path, age_s: int) -> list[Place]:
    """Return two places for replicas of a service; ``{number}`` in a setting stands for the place's."""
    ports = free_ports(4)
    made = []
    for number, (port, metrics) in enumerate(zip(ports[:2], ports[2:], strict=True)):
        settings = {
            "BIND": f"127.0.0.1:{port}",
            "METRICS_PORT": str(metrics),
            "DATA": str(folder / "data"),
            "DRAIN_DELAY_S": str(DRAIN_S),
            "DRAIN_GRACE_S": str(GRACE_S),
            "MAX_CONNECTION_AGE_S": str(age_s),
        }
        named = {f"ALTIPLANO_{service.upper()}_{name}": value for name, value in settings.items()}
        named |= {name: value.replace("{number}", str(number)) for name, value in own.items()}
        made.append(Place(service, port, metrics, named, folder / f"{service}-{number}.log"))
    return made
