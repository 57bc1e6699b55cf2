"""The process beside the code's: puts up the walls, hands over files, watches, and ends what uses too much.

It runs nothing that it was sent. One warden serves one call, or all calls of a session that keeps its variables.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from dataclasses import dataclass
from typing import Final, NoReturn

from services.agents.sandbox.inside import kernel, wire
from services.agents.sandbox.inside.files import Snapshot, collect, figures, place
from services.agents.sandbox.inside.plan import Plan
from services.agents.sandbox.inside.usage import memory_of
from services.agents.sandbox.inside.walls import WORK, Walls, put_up
from services.agents.sandbox.inside.worker import FIGURES, Worker

_TICK_S: Final = 0.05
_CHUNK: Final = 65536
_NICENESS: Final = 5

COMPLETED: Final = "completed"
ERROR: Final = "error"
TIMEOUT: Final = "timeout"


@dataclass(slots=True)
class _Child:
    """The code's process, with the pipes to and from it."""

    pid: int
    commands: int
    results: int
    outputs: dict[int, str]


@dataclass(slots=True)
class _Run:
    """What is known of a run; ``note`` says what the code itself could not."""

    until: float
    kept: dict[str, int]
    status: str | None = None
    note: str = ""
    clipped: bool = False


class Warden:
    """Serves one connection to the service."""

    def __init__(self, stream: socket.socket, plan: Plan) -> None:
        """Put up the walls and start the code's process behind them."""
        self._stream = stream
        self._plan = plan
        self._proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
        self._walls: Walls = put_up(plan)
        self._child = self._start()

    def serve(self) -> None:
        """Run what comes until the connection ends or the code's process did."""
        alive = True
        try:
            while alive and (message := wire.receive(self._stream)) is not None:
                alive = self._serve(*message)
        finally:
            self._end()
            self._walls.remove()

    def _serve(self, request: dict[str, object], pieces: list[bytes]) -> bool:
        """Run code once and tell how it went; return whether the code's process can run more."""
        names = request["files"]
        assert isinstance(names, list)
        work = self._walls.places.work
        before: Snapshot = place(work, dict(zip(names, pieces, strict=True)))
        run = _Run(time.monotonic() + float(str(request["timeout_s"])), {"stdout": 0, "stderr": 0})
        # where there are no mounts, the folder is not in its place
        code = str(request["code"]).replace(WORK, work).encode()
        sent = _send(self._child.commands, len(code).to_bytes(wire.PREFIX, "big") + code)
        if not sent:
            run.status, run.note = ERROR, "the interpreter has ended"
        self._watch(run)
        alive = run.status != TIMEOUT and not run.note
        if not alive or request["last"]:
            self._end()
        self._drain(run)
        changes = collect(work, before, self._plan.disk)
        plots = figures(os.path.join(self._walls.places.temporary, FIGURES), self._plan.figures, self._plan.disk)
        header = {
            "event": "end",
            "status": run.status,
            "note": run.note,
            "clipped": run.clipped,
            "files": list(changes.changed),
            "removed": changes.removed,
            "alive": alive,
        }
        wire.send(self._stream, header, [*changes.changed.values(), *plots])
        return alive and not request["last"]

    def _start(self) -> _Child:
        pipes = [os.pipe() for _ in range(4)]
        (from_warden, commands), (results, result), (out, stdout), (err, stderr) = pipes
        pid = os.fork()
        if not pid:
            _become_child(self._walls, self._plan, (from_warden, result, stdout, stderr))
        for inner in (from_warden, result, stdout, stderr):
            os.close(inner)
        for outer in (results, out, err):
            os.set_blocking(outer, False)
        return _Child(pid, commands, results, {out: "stdout", err: "stderr"})

    def _watch(self, run: _Run) -> None:
        """Pass output on until the run is over, one way or another."""
        child = self._child
        poll = select.poll()
        for source in (child.results, *child.outputs, self._stream.fileno()):
            poll.register(source, select.POLLIN)
        open_results = True
        while run.status is None:
            left = run.until - time.monotonic()
            if left <= 0:
                run.status = TIMEOUT
                return
            for source, _ in poll.poll(min(left, _TICK_S) * 1000):
                if source == child.results and open_results:
                    said = os.read(child.results, 1)
                    run.status = {b"1": COMPLETED, b"0": ERROR}.get(said)
                    if not said:
                        open_results = False
                        self._died(run)
                elif source == self._stream.fileno():
                    # nothing is sent while code runs: the service went away
                    run.status, run.note = ERROR, "cancelled"
                elif source in child.outputs and not self._pass_on(run, source):
                    poll.unregister(source)
            if run.status is None:
                self._check(run)

    def _check(self, run: _Run) -> None:
        """End the run when it uses too much."""
        used = memory_of(self._child.pid, self._proc)
        if used > self._plan.memory:
            run.status, run.note = ERROR, f"ended: more than {self._plan.memory >> 20} MiB of memory were used"
        elif self._walls.overfull():
            run.status, run.note = ERROR, f"ended: more than {self._plan.disk >> 20} MiB of files were written"

    def _died(self, run: _Run) -> None:
        # it may have closed its end of the pipe and live on
        os.kill(self._child.pid, signal.SIGKILL)
        _, state = os.waitpid(self._child.pid, 0)
        self._child.pid = 0
        code = os.waitstatus_to_exitcode(state)
        run.status = ERROR
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        run.note = f"the interpreter ended {how}"

    def _pass_on(self, run: _Run, source: int) -> bool:
        """Send on what there is of an output; return whether more may come."""
        try:
            data = os.read(source, _CHUNK)
        except BlockingIOError:
            return True
        if not data:
            return False
        name = self._child.outputs[source]
        room = self._plan.output - run.kept[name]
        run.kept[name] += len(data)
        if len(data) > room:
            run.clipped = True
        if room > 0:
            wire.send(self._stream, {"event": "output", "stream": name}, [data[:room]])
        return True

    def _drain(self, run: _Run) -> None:
        """Pass on what was written before the end; as much as a pipe holds, for the code may still be writing."""
        for source in self._child.outputs:
            for _ in range(2):
                self._pass_on(run, source)

    def _end(self) -> None:
        """End the code's process and, with the first process of its namespace, all others."""
        if self._child.pid:
            os.kill(self._child.pid, signal.SIGKILL)
            os.waitpid(self._child.pid, 0)
            self._child.pid = 0


def _send(pipe: int, data: bytes) -> bool:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(pipe, view) :]
    except BrokenPipeError:
        return False
    return True


def _become_child(walls: Walls, plan: Plan, pipes: tuple[int, int, int, int]) -> NoReturn:
    """Lock this process in and run what it is sent; never returns."""
    try:
        kernel.die_with_parent()
        # a signal to the own group would reach the warden, whatever namespace it is sent from
        os.setsid()
        commands, results = _arrange(pipes)
        # the service comes first
        os.nice(_NICENESS)
        _pin(plan.cores)
        walls.lock()
        _work(commands, results, Worker(os.path.join(walls.places.temporary, FIGURES), plan.figures))
    finally:
        os._exit(70)


def _pin(cores: int) -> None:
    """Keep this process and its children on so many cores, others for each call; the filter lets nobody leave them."""
    there = sorted(os.sched_getaffinity(0))
    if 0 < cores < len(there):
        first = time.monotonic_ns() // 1000 % len(there)
        os.sched_setaffinity(0, (there + there)[first : first + cores])


def _arrange(pipes: tuple[int, int, int, int]) -> tuple[int, int]:
    """Put the pipes where they belong, close everything else, and return those of commands and results."""
    commands, results, stdout, stderr = pipes
    nothing = os.open(os.devnull, os.O_RDONLY)
    # out of the way of the numbers below first
    high = [os.dup2(pipe, 100 + at) for at, pipe in enumerate((nothing, stdout, stderr, commands, results))]
    for number, pipe in enumerate(high):
        os.dup2(pipe, number, inheritable=number < 3)
    os.closerange(5, 65536)
    return 3, 4


def _work(commands: int, results: int, worker: Worker) -> None:
    with os.fdopen(commands, "rb") as source:
        while prefix := source.read(wire.PREFIX):
            code = source.read(int.from_bytes(prefix, "big")).decode()
            well = worker.run(code)
            os.write(results, b"1" if well else b"0")


def ready(plan: Plan) -> str:
    """Run a trial behind the walls; return why it failed, empty when all is well."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if not pid:
        ours.close()
        _serve_and_exit(theirs, plan)
    theirs.close()
    with ours:
        try:
            wire.send(ours, {"code": "print(6 * 7)", "files": [], "timeout_s": 30, "last": True})
            said = []
            while (message := wire.receive(ours)) is not None:
                said.append(message)
        except OSError as error:
            said, reason = [], str(error)
        else:
            reason = json.dumps([header for header, _ in said])
    os.waitpid(pid, 0)
    well = [header for header, pieces in said if header.get("status") == COMPLETED or pieces == [b"42\n"]]
    return "" if len(well) == 2 else f"the trial failed: {reason}"


def _serve_and_exit(stream: socket.socket, plan: Plan) -> NoReturn:
    try:
        kernel.die_with_parent()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        number = stream.fileno()
        os.closerange(3, number)
        os.closerange(number + 1, 65536)
        Warden(stream, plan).serve()
    finally:
        os._exit(0)


def start(stream: socket.socket, plan: Plan) -> int:
    """Fork a warden for a connection and return its process id."""
    pid = os.fork()
    if not pid:
        _serve_and_exit(stream, plan)
    return pid
