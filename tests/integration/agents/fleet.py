"""Agents services as processes over one database, to be killed and replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from dataclasses import dataclass, field
from pathlib import Path

from tests.ports import free_address

WAIT_S = 60


@dataclass
class Fleet:
    """Processes by their addresses, and one more at a time that waits to take the place of another."""

    database: str
    inference: str
    counted: Path
    running: dict[str, Process] = field(default_factory=dict)
    waiting: Process | None = None

    async def start(self, replicas: int) -> None:
        """Run processes, the first one first."""
        for _ in range(replicas):
            await self._begin(await self._spawn(), free_address())

    async def prepare(self) -> None:
        """Have a process ready to take the place of another."""
        if self.waiting is None:
            self.waiting = await self._spawn()

    async def kill(self, pid: int) -> str:
        """Kill a process as ``kill -9`` does and return its address."""
        (address,) = [address for address, process in self.running.items() if process.pid == pid]
        process = self.running.pop(address)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        return address

    async def replace(self, address: str) -> None:
        """Have the process that was prepared serve at an address."""
        assert self.waiting is not None
        process, self.waiting = self.waiting, None
        await self._begin(process, address)

    async def stop(self) -> None:
        """End all processes."""
        for process in [*self.running.values(), *([self.waiting] if self.waiting else [])]:
            process.kill()
            await process.wait()

    async def _spawn(self) -> Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.integration.agents.worker"),
            *(self.database, self.inference, str(self.counted)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    async def _begin(self, process: Process, address: str) -> None:
        self.running[address] = process
        await _said(process, b"ready")
        assert process.stdin is not None
        process.stdin.write(f"{address}\n".encode())
        await process.stdin.drain()
        await _said(process, b"serving")


async def _said(process: Process, wanted: bytes) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(WAIT_S):
        line = await process.stdout.readline()
    assert line.strip() == wanted, "the process ended by itself"
