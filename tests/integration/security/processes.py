"""Real processes of the mesh with settings of a test's choice; everything that they write is kept."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

READY_S = 90.0
STOP_S = 30.0


@asynccontextmanager
async def process(
    module: str, log: Path, settings: Mapping[str, str], *, before: Sequence[str] = ()
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a module for the time of the block, its output going to the end of ``log``; a signal ends it in order.

    ``before`` is a command that becomes the one that follows it, ``nice`` say.
    """
    with log.open("ab") as output:
        started = await asyncio.create_subprocess_exec(
            *(*before, sys.executable, "-m", module),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **settings},
            stdout=output,
            stderr=output,
        )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_S):
                    await started.wait()
            except TimeoutError:
                started.kill()
                await started.wait()


async def until_it_serves(address: str, running: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until a gRPC server says that it does; what it has written is the reason if it never will."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = HealthStub(channel)
        check = asyncio.ensure_future(stub.Check(HealthCheckRequest(), wait_for_ready=True))
        ended = asyncio.ensure_future(running.wait())
        done, _ = await asyncio.wait((check, ended), timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        check.cancel()
        ended.cancel()
        await asyncio.gather(check, ended, return_exceptions=True)
    assert check in done, await asyncio.to_thread(log.read_text)


async def until_it_answers(http: httpx.AsyncClient) -> None:
    """Wait until an HTTP server takes connections."""
    async with asyncio.timeout(READY_S):
        while True:
            try:
                await http.get("/healthz")
            except httpx.ConnectError:
                # nothing tells when the port opens
                await asyncio.sleep(0.1)
            else:
                return
