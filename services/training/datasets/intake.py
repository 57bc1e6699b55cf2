"""Takes bytes of anybody into shards: reads and checks them in a process of its own, under limits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mesh.errors import InvalidField
from services.training.datasets.census import ColumnCensus
from services.training.datasets.shards import StoredShard, Written
from services.training.revisions import ColumnType

_MIB: Final = 1024 * 1024
_TOLD: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG")


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """What one dataset may take.

    ``total_bytes`` counts the bytes of the file, ``row_bytes`` those of one row of JSON lines or CSV, ``memory_mib``
    is the memory of the process that reads; ``at_once`` datasets are read at a time, others wait.
    """

    total_bytes: int = 64 * 1024 * _MIB
    row_bytes: int = 8 * _MIB
    memory_mib: int = 2048
    at_once: int = 2


@dataclass(frozen=True, slots=True)
class Arrival:
    """Bytes that come in: their format (jsonl, csv, parquet), the columns to keep, and the field that sent them."""

    chunks: AsyncIterator[bytes]
    format: str
    columns: Mapping[str, ColumnType]
    path: str


class Intake:
    """Reads datasets."""

    def __init__(self, limits: IntakeLimits) -> None:
        """Keep the limits."""
        self._limits = limits
        self._room = asyncio.Semaphore(limits.at_once)

    async def take(self, arrival: Arrival, folder: Path) -> Written:
        """Write the rows into a new folder and return what they are; the folder is gone again on an error.

        Raises:
            InvalidField: the bytes are not of the format, a row does not fit the columns, or there are too many bytes.
        """
        async with self._room:
            await asyncio.to_thread(folder.mkdir, parents=True)
            try:
                answer = await self._ask(arrival, folder)
                if refused := answer.get("refused"):
                    raise InvalidField(refused["where"] or arrival.path, refused["expected"])
                return _written(answer["written"])
            except BaseException:
                await asyncio.to_thread(shutil.rmtree, folder, True)
                raise

    async def _ask(self, arrival: Arrival, folder: Path) -> dict[str, Any]:
        spec = {
            "format": arrival.format,
            "columns": arrival.columns,
            "folder": str(folder),
            "row_bytes": self._limits.row_bytes,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.training.datasets.checker"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=_environment(),
        )
        try:
            size = self._limits.memory_mib * _MIB
            # before it reads anything: it waits for its input
            resource.prlimit(process.pid, resource.RLIMIT_AS, (size, size))
            said = await self._converse(process, json.dumps(spec), arrival)
            # it has said everything; a signal now would take its exit code from us
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
        if process.returncode != 0:
            raise InvalidField(
                arrival.path, f"a readable {arrival.format} file is needed; this one is broken or takes too much memory"
            )
        return dict(json.loads(said))

    async def _converse(self, process: Process, spec: str, arrival: Arrival) -> bytes:
        """Feed the process and return what it says; an answer before the end of the bytes ends the feeding."""
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdin.write(f"{spec}\n".encode())
        hearing = asyncio.create_task(process.stdout.read())
        feeding = asyncio.create_task(self._feed(process, arrival))
        try:
            await asyncio.wait((hearing, feeding), return_when=asyncio.FIRST_COMPLETED)
            if feeding.done():
                feeding.result()
            return await hearing
        finally:
            for task in (hearing, feeding):
                task.cancel()
            await asyncio.gather(hearing, feeding, return_exceptions=True)

    async def _feed(self, process: Process, arrival: Arrival) -> None:
        assert process.stdin is not None
        total = 0
        # the process may answer before it has read everything
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            async for chunk in arrival.chunks:
                total += len(chunk)
                if total > self._limits.total_bytes:
                    raise InvalidField(arrival.path, f"at most {self._limits.total_bytes} bytes are taken")
                process.stdin.write(chunk)
                await process.stdin.drain()
            process.stdin.close()
            await process.stdin.wait_closed()


def _environment() -> dict[str, str]:
    """Return what the process needs to start, and no secret; its memory is counted, so none is reserved ahead."""
    told = {name: os.environ[name] for name in _TOLD if name in os.environ}
    return told | {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _written(answer: dict[str, Any]) -> Written:
    return Written(
        answer["content_hash"],
        tuple(StoredShard(**shard) for shard in answer["shards"]),
        {name: ColumnCensus(**census) for name, census in answer["columns"].items()},
    )
