"""Runs the processes of a mesh on one machine: starts them, keeps them alive, stops them all.

Knows nothing about what the processes do. A process that ends by itself is started again after a pause that doubles up
to a bound; one that keeps dying, or refuses its configuration at its first start, is given up and reported, and the
others go on.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
STEADY_SECONDS = 30.0
GIVE_UP_AFTER = 6
REFUSES_CONFIGURATION = 2
LAST_LINES = 3


class GivenUp(Exception):
    """A program ended for good while the mesh was starting; the text names it and has the end of its log."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process: its name, its command, what is added to the environment, and the file that takes its output."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path


@dataclass(slots=True)
class _Running:
    program: Program
    process: asyncio.subprocess.Process | None = None
    keeper: asyncio.Task[None] | None = None
    starts: int = 0
    failures: int = 0
    started: float = field(default=0.0)


class Supervisor:
    """Keeps programs running until it is told to stop."""

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        report: Callable[[str, str], None] = lambda name, event: None,
        grace_seconds: float = 15.0,
    ) -> None:
        """``report(name, event)`` is told what happens; ``grace_seconds`` lie between SIGTERM and SIGKILL."""
        self._running = [_Running(program) for program in programs]
        self._report = report
        self._grace = grace_seconds
        self._given_up: asyncio.Queue[Program] = asyncio.Queue()

    async def start(self) -> None:
        """Start every program, in order."""
        for entry in self._running:
            await self._spawn(entry)
            entry.keeper = asyncio.create_task(self._keep(entry), name=f"keep-{entry.program.name}")

    async def stop(self) -> None:
        """Stop every program, the last one first, and return when no process of theirs is left."""
        for entry in reversed(self._running):
            if entry.keeper is not None:
                entry.keeper.cancel()
                with suppress(asyncio.CancelledError):
                    await entry.keeper
            await self._end(entry)

    def alive(self, name: str) -> bool:
        """Tell whether the program's process runs right now."""
        return any(
            e.process is not None and e.process.returncode is None for e in self._running if e.program.name == name
        )

    async def given_up(self) -> GivenUp:
        """Wait until a program is given up and return what to say of it."""
        program = await self._given_up.get()
        lines = program.log.read_text(errors="replace").splitlines()
        return GivenUp("\n".join([f"{program.name} does not start; {program.log} ends with", *lines[-LAST_LINES:]]))

    async def _spawn(self, entry: _Running) -> None:
        program = entry.program
        program.log.parent.mkdir(parents=True, exist_ok=True)
        with program.log.open("ab") as log:
            entry.process = await asyncio.create_subprocess_exec(
                *program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **program.environment},
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        entry.started = time.monotonic()
        entry.starts += 1
        self._report(program.name, f"started, process {entry.process.pid}")

    async def _keep(self, entry: _Running) -> None:
        while True:
            process = entry.process
            assert process is not None
            code = await process.wait()
            _signal_group(process.pid, signal.SIGKILL)
            steady = time.monotonic() - entry.started > STEADY_SECONDS
            entry.failures = 1 if steady else entry.failures + 1
            if entry.failures >= GIVE_UP_AFTER or (code == REFUSES_CONFIGURATION and entry.starts == 1):
                self._report(
                    entry.program.name, f"ended with {_meaning(code)} and is given up; see {entry.program.log}"
                )
                self._given_up.put_nowait(entry.program)
                return
            pause = min(FIRST_PAUSE_SECONDS * 2 ** (entry.failures - 1), LONGEST_PAUSE_SECONDS)
            self._report(entry.program.name, f"ended with {_meaning(code)}, starting again in {pause:g} s")
            await asyncio.sleep(pause)
            await self._spawn(entry)

    async def _end(self, entry: _Running) -> None:
        process = entry.process
        if process is None:
            return
        if process.returncode is None:
            # the leader alone: it drains and ends its own children in order
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), self._grace)
            except TimeoutError:
                self._report(entry.program.name, f"did not stop within {self._grace:g} s and is killed")
        _signal_group(process.pid, signal.SIGKILL)
        await process.wait()
        self._report(entry.program.name, "stopped")


async def run_until_signal(supervisor: Supervisor, ready: Callable[[], Awaitable[None]]) -> None:
    """Start the programs, await ``ready()``, then wait for SIGINT or SIGTERM and stop everything, whatever happens.

    Raises:
        GivenUp: a program ended for good before ``ready()`` returned.
    """
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    waiting = asyncio.create_task(asked.wait())
    lost = asyncio.create_task(supervisor.given_up())
    starting = asyncio.create_task(_start(supervisor, ready))
    try:
        await asyncio.wait({starting, waiting, lost}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            await waiting
        elif lost.done():
            raise lost.result()
    finally:
        for task in (starting, waiting, lost):
            task.cancel()
        await asyncio.gather(starting, waiting, lost, return_exceptions=True)
        await supervisor.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _start(supervisor: Supervisor, ready: Callable[[], Awaitable[None]]) -> None:
    await supervisor.start()
    await ready()


def die_with_parent() -> None:
    """Have the kernel end this process when the supervisor dies, even by SIGKILL (Linux only)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _meaning(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
