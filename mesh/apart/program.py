"""Programs that a service keeps running beside itself and asks, one request after another.

A process is started for the first request and kept for the next ones. It gets no settings and no secrets of the
service, has limits of its own, and is killed with all it started when a request takes too long. Messages are JSON
behind their length in four bytes; the first one that a process sends says that it is ready.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import shutil
import signal
import struct
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from mesh.errors import BackendUnavailable, DeadlineExceeded, WrongState

_LENGTH: Final = struct.Struct(">I")
_MIB: Final = 1024 * 1024
_MOST_LOGGED: Final = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProgramLimits:
    """What a program may take: seconds per request, seconds to be ready, address space; and how many processes."""

    timeout_s: float = 30.0
    start_s: float = 120.0
    memory_mib: int = 4096
    at_once: int = 1


class _Worker:
    """One process and the folder that it may write in."""

    def __init__(self, process: Process, folder: Path) -> None:
        self._process = process
        self._folder = folder

    async def receive(self) -> Any:
        """Return the next message; EOFError when the process ended."""
        out = self._process.stdout
        assert out is not None
        (length,) = _LENGTH.unpack(await out.readexactly(_LENGTH.size))
        return json.loads(await out.readexactly(length))

    async def send(self, message: Any) -> None:
        """Send a message; ConnectionError when the process ended."""
        data = json.dumps(message).encode()
        into = self._process.stdin
        assert into is not None
        into.write(_LENGTH.pack(len(data)) + data)
        await into.drain()

    async def end(self) -> None:
        """Kill the process and what it started, and take its folder away."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


class Program:
    """The program of a module; ``what`` names its work in errors, ``environ`` is what it is told beside the usual."""

    def __init__(self, module: str, what: str, limits: ProgramLimits, environ: Mapping[str, str] | None = None) -> None:
        """Keep the limits; nothing is started before the first request."""
        self._module = module
        self._what = what
        self._limits = limits
        self._environ = dict(environ or {})
        self._room = asyncio.Semaphore(limits.at_once)
        self._idle: list[_Worker] = []

    async def ask(self, request: Any) -> Any:
        """Return the program's answer to a request.

        Raises:
            WrongState: the program can't run here, or failed.
            DeadlineExceeded: it took too long.
            BackendUnavailable: it died of the request.
        """
        async with self._room:
            worker = self._idle.pop() if self._idle else await self._start()
            try:
                async with asyncio.timeout(self._limits.timeout_s):
                    await worker.send(request)
                    answer = await worker.receive()
            except TimeoutError as error:
                raise DeadlineExceeded(f"{self._what} took more than {self._limits.timeout_s:g} s") from error
            except (EOFError, ConnectionError) as error:
                raise BackendUnavailable(f"{self._what} ended without an answer") from error
            else:
                self._idle.append(worker)
            finally:
                if worker not in self._idle:
                    await worker.end()
        if "failed" in answer:
            raise WrongState(f"{self._what} failed")
        return answer

    async def close(self) -> None:
        """End the processes."""
        while self._idle:
            await self._idle.pop().end()

    async def _start(self) -> _Worker:
        folder, errors = await asyncio.to_thread(_place)
        worker, ready = None, False
        try:
            worker = _Worker(await self._process(folder, errors), folder)
            async with asyncio.timeout(self._limits.start_s):
                ready = "ready" in await worker.receive()
        except (TimeoutError, EOFError, OSError) as error:
            log.warning("%s can't be started: %s", self._what, await asyncio.to_thread(_last_line, errors))
            raise WrongState(f"{self._what} can't be started here") from error
        finally:
            errors.close()
            if worker is None:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            elif not ready:
                await worker.end()
        return worker

    async def _process(self, folder: Path, errors: BinaryIO) -> Process:
        """Return a process that has not read anything yet, with its limits."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", self._module),
            stdin=PIPE,
            stdout=PIPE,
            stderr=errors,
            env=_environment(folder) | self._environ,
            start_new_session=True,
        )
        size = self._limits.memory_mib * _MIB
        with suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_AS, (size, size))
            resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))
        return process


def _place() -> tuple[Path, BinaryIO]:
    """Return a new folder, and a file without a name for what a program complains about before it is ready."""
    # the caller closes the file
    return Path(tempfile.mkdtemp(prefix="apart-")), tempfile.TemporaryFile()


def _last_line(errors: BinaryIO) -> str:
    errors.seek(0)
    lines = errors.read().decode("utf-8", "replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")[:_MOST_LOGGED]


def _environment(folder: Path) -> dict[str, str]:
    """Return what a process may know: where packages are, and a folder for what it writes."""
    packages = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path if entry)
    return {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PATH": os.defpath,
        "PYTHONPATH": packages,
        "PYTHONUTF8": "1",
    }
