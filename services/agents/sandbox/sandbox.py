"""The sandbox as the service uses it: started once, then given code and files, again and again.

Which walls stand is found out when it starts, by a trial behind them: namespaces inside of bubblewrap, else Landlock
with a filter of system calls, else none; then nothing runs at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mesh.errors import WrongState
from services.agents.sandbox import launch, policy
from services.agents.sandbox.inside import landlock, wire
from services.agents.sandbox.inside.plan import LANDLOCK, NAMESPACES, Plan
from services.agents.tooling import FILES_FOLDER

_START_S: Final = 120.0
_GRACE_S: Final = 5.0
_UNPRIVILEGED: Final = 61184
_MIB: Final = 1024 * 1024
COMPLETED: Final = "completed"
ERROR: Final = "error"
TIMEOUT: Final = "timeout"

Progress = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a call may use; memory and disk in MiB, output and so on as in :class:`Plan`."""

    memory_mib: int = 1024
    disk_mib: int = 128
    processes: int = 64
    cores: int = 1
    output_bytes: int = 65536
    figures: int = 16


@dataclass(frozen=True, slots=True)
class Task:
    """Code to run with files by their paths below its folder, for at most ``timeout_s`` seconds.

    ``last`` says that its variables are of no use afterwards.
    """

    code: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    timeout_s: float = 20.0
    last: bool = True
    progress: Progress | None = None


@dataclass(slots=True)
class Outcome:
    """How code ended (``completed``, ``error`` or ``timeout``) and what it left.

    ``note`` says why it was ended, where that is so; ``alive`` whether its variables are still there. ``changed`` are
    the files that are new or different, ``removed`` the paths of those that are gone, ``figures`` PNG files.
    """

    status: str = ERROR
    stdout: str = ""
    stderr: str = ""
    note: str = ""
    clipped: bool = False
    alive: bool = False
    changed: dict[str, bytes] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    figures: list[bytes] = field(default_factory=list)


class Line:
    """A connection to one interpreter in the sandbox; ``last`` tasks end it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep both directions."""
        self._reader = reader
        self._writer = writer

    async def run(self, task: Task) -> Outcome:
        """Run code.

        Raises:
            EOFError: the interpreter is gone.
        """
        header = {"code": task.code, "files": list(task.files), "timeout_s": task.timeout_s, "last": task.last}
        try:
            self._writer.write(wire.pack(header, list(task.files.values())))
            await self._writer.drain()
            async with asyncio.timeout(task.timeout_s + _GRACE_S):
                return await self._follow(task)
        except ConnectionError as error:
            raise EOFError from error
        except TimeoutError as error:
            raise EOFError from error

    async def close(self) -> None:
        """End the interpreter."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _follow(self, task: Task) -> Outcome:
        written: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        while True:
            header, pieces = await received(self._reader)
            if header["event"] == "end":
                texts = {name: b"".join(parts).decode("utf-8", "replace") for name, parts in written.items()}
                return _outcome(header, pieces, texts)
            written[header["stream"]] += pieces
            if task.progress is not None:
                await task.progress(pieces[0].decode("utf-8", "replace"))


class Sandbox:
    """Starts interpreters behind walls. ``scratch`` is an existing folder for the way without namespaces."""

    def __init__(self, bounds: Bounds, ways: tuple[str, ...] = (NAMESPACES, LANDLOCK)) -> None:
        """``ways`` are the walls to try, in order."""
        self._bounds = bounds
        self._ways = ways
        self._lock = asyncio.Lock()
        self._process: Process | None = None
        self._control: socket.socket | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self.walls: str | None = None
        self.problem: str | None = None

    async def begin(self) -> None:
        """Start what calls are forked from; where nothing can lock a call in, ``problem`` says why."""
        async with self._lock:
            await self._begin()

    async def connect(self) -> Line:
        """Return a line to a fresh interpreter.

        Raises:
            WrongState: no sandbox can run here.
        """
        async with self._lock:
            ours = self._connected()
            if ours is None:
                await self._begin()
                ours = self._connected()
            if ours is None:
                raise WrongState(f"the code interpreter is not available: {self.problem}")
        return Line(*await asyncio.open_unix_connection(sock=ours, limit=1 << 20))

    async def close(self) -> None:
        """End all that runs."""
        async with self._lock:
            await self._end()
            if self._scratch is not None:
                self._scratch.cleanup()
                self._scratch = None

    def _connected(self) -> socket.socket | None:
        """Return a connection to a fresh interpreter, None if there is nothing that could start one."""
        if self._control is None:
            return None
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._control, [b"c"], [theirs.fileno()])
        except OSError:
            ours.close()
            return None
        ours.setblocking(False)
        return ours

    async def _begin(self) -> None:
        problems = []
        for walls in self._ways:
            await self._end()
            try:
                async with asyncio.timeout(_START_S):
                    problem = await self._start(walls)
            except (OSError, EOFError, RuntimeError, TimeoutError) as error:
                problem = str(error) or "it does not start"
            if not problem:
                self.walls, self.problem = walls, None
                return
            problems.append(f"{walls}: {problem}")
        await self._end()
        self.walls, self.problem = None, "; ".join(problems) or "it is switched off by the setting SANDBOX"

    async def _start(self, walls: str) -> str:
        """Start the process behind some walls; return what is wrong with them, empty if nothing."""
        if not sys.platform.startswith("linux"):
            return "Linux is needed"
        if walls == LANDLOCK and not landlock.version():
            return "this kernel has no Landlock"
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                number = theirs.fileno()
                plan, command, variables = self._prepared(walls, number)
                self._process = await asyncio.create_subprocess_exec(
                    *command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, env=variables, pass_fds=(number,), cwd="/"
                )
            ours.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(ours, wire.pack({"plan": dataclasses.asdict(plan)}))
            problem = await self._trial(ours)
        except BaseException:
            ours.close()
            raise
        if problem:
            ours.close()
            return problem
        self._control = ours
        return ""

    async def _trial(self, control: socket.socket) -> str:
        """Return what the process says about its trial, or what it said before it ended."""
        loop = asyncio.get_running_loop()
        data = bytearray()
        while len(data) < wire.PREFIX or len(data) < wire.PREFIX + int.from_bytes(data[: wire.PREFIX], "big"):
            part = await loop.sock_recv(control, 4096)
            if not part:
                assert self._process is not None
                _, said = await self._process.communicate()
                lines = said.decode("utf-8", "replace").strip().splitlines()
                return lines[-1] if lines else "it ended at once"
            data += part
        return str(wire.header_of(bytes(data[wire.PREFIX :]))["problem"])

    def _prepared(self, walls: str, number: int) -> tuple[Plan, list[str], dict[str, str]]:
        scratch = ""
        if walls == LANDLOCK:
            self._scratch = self._scratch or tempfile.TemporaryDirectory(prefix="sandbox-")
            scratch = self._scratch.name
            # calls have folders of their own in it, which nobody can list
            os.chmod(scratch, 0o711)
            command, variables = launch.plainly(number), launch.environment(scratch, scratch)
        else:
            command, variables = launch.by_bubblewrap(number, FILES_FOLDER), {}
        bounds = self._bounds
        plan = Plan(
            walls=walls,
            uid=_UNPRIVILEGED if os.getuid() == 0 and (walls == NAMESPACES or _open_to_all()) else None,
            readable=[*launch.readable(), "/dev/null", "/dev/zero", "/dev/urandom", "/dev/random", "/etc/ld.so.cache"],
            scratch=scratch,
            memory=bounds.memory_mib * _MIB,
            disk=bounds.disk_mib * _MIB,
            processes=bounds.processes,
            cores=bounds.cores,
            output=bounds.output_bytes,
            figures=bounds.figures,
            seccomp=policy.compiled(processes=walls == NAMESPACES).hex(),
        )
        return plan, command, variables

    async def _end(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            # reads what is left as well, so that no pipe stays open
            await self._process.communicate()
            self._process = None


async def received(reader: asyncio.StreamReader) -> wire.Message:
    """Return the next message.

    Raises:
        EOFError: there is none.
    """
    size = int.from_bytes(await reader.readexactly(wire.PREFIX), "big")
    header: dict[str, Any] = wire.header_of(await reader.readexactly(size))
    return header, [await reader.readexactly(size) for size in header["sizes"]]


def _outcome(header: Mapping[str, Any], pieces: list[bytes], texts: Mapping[str, str]) -> Outcome:
    names = header["files"]
    return Outcome(
        status=header["status"],
        stdout=texts["stdout"],
        stderr=texts["stderr"],
        note=header["note"],
        clipped=header["clipped"],
        alive=header["alive"],
        changed=dict(zip(names, pieces, strict=False)),
        removed=header["removed"],
        figures=pieces[len(names) :],
    )


def _open_to_all() -> bool:
    """Return whether any user may read the interpreter and its libraries."""
    folders = {above for path in launch.readable() for above in _above(path)}
    return all(os.stat(folder).st_mode & 0o5 == 0o5 for folder in folders)


def _above(path: str) -> list[str]:
    found = [path]
    while found[-1] != "/":
        found.append(os.path.dirname(found[-1]))
    return found
