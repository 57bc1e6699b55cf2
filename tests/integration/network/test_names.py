"""A gateway before a name with two addresses: its calls go on while the replicas there are replaced in turn."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.restarts.balanced import Balanced
from bench.restarts.work import Load, Work
from tests.integration.security.processes import process, until_it_serves
from tests.ports import free_port

HOSTS = ("127.0.0.1", "127.0.0.2")
NAMES = "127.0.0.1 localhost\n" + "".join(f"{host} replicas\n" for host in HOSTS)
BETWEEN_S = 6.0
"""Seconds between the start of a replica and the end of the next one: clients come back within five."""


@dataclass(frozen=True)
class Replica:
    """One of two replicas of the evaluation service on one port."""

    host: str
    port: int
    database: str
    folder: Path

    async def start(self, stack: AsyncExitStack) -> None:
        """Run until the stack is closed; return when it serves."""
        own = {
            "BIND": f"{self.host}:{self.port}",
            "DATABASE_URL": self.database,
            "REPLICAS": "2",
            "DATA": str(self.folder / "data"),
            "DRAIN_DELAY_S": "1",
            "DRAIN_GRACE_S": "2",
        }
        log = self.folder / f"{self.host}.log"
        settings = {f"ALTIPLANO_EVAL_{name}": value for name, value in own.items()}
        started = await stack.enter_async_context(process("services.eval", log, settings))
        await until_it_serves(f"{self.host}:{self.port}", started, log)


def with_names(folder: Path) -> tuple[str, ...]:
    """Return the command that runs another one where the name of the replicas is known."""
    (folder / "hosts").write_text(NAMES)
    alone = ("unshare", "--mount", "sh", "-c", f'mount --bind {folder}/hosts /etc/hosts && exec "$@"', "sh")
    if subprocess.run([*alone, "true"], capture_output=True, timeout=30, check=False).returncode:
        pytest.skip("no names can be made here: that takes a mount namespace")
    return alone


async def silence() -> AsyncIterator[Any]:
    """Be a stream that says nothing."""
    await asyncio.Event().wait()
    yield


@pytest.mark.timeout(300)
@pytest.mark.parametrize("transport", ["lean", "grpc"])
async def test_no_call_fails_while_replicas_behind_a_name_are_replaced(
    transport: str, postgres_url: str, tmp_path: Path
) -> None:
    before = with_names(tmp_path)
    port, front = free_port(), free_port()
    replicas = [Replica(host, port, postgres_url, tmp_path) for host in HOSTS]
    settings = {
        "ALTIPLANO_GATEWAY_BIND": f"127.0.0.1:{front}",
        "ALTIPLANO_GATEWAY_UPSTREAMS": f"observability=replicas:{port}",
        "ALTIPLANO_GATEWAY_TRANSPORT": transport,
    }
    async with AsyncExitStack() as stack:
        stacks = [await stack.enter_async_context(AsyncExitStack()) for _ in replicas]
        await asyncio.gather(*(replica.start(own) for replica, own in zip(replicas, stacks, strict=True)))
        await stack.enter_async_context(process("gateway", tmp_path / "gateway.log", settings, before=before))
        gateway = Balanced([f"http://127.0.0.1:{front}"])
        await gateway.until_ready()

        def make(caller: int, step: int) -> Any:
            return gateway.post("/experiments/create", {"name": f"{caller}-{step}"})

        def look(caller: int, step: int) -> Any:
            return gateway.post("/experiments/list", {"page_size": 1})

        load = Load(Work((make, look), silence, gateway.close), callers=4)
        for replica, own in zip(replicas, stacks, strict=True):
            await asyncio.sleep(BETWEEN_S)
            await own.aclose()
            await replica.start(own)
        await asyncio.sleep(BETWEEN_S)
        await load.stop()
    assert load.outcome.calls > 100
    assert load.outcome.failures == {}
