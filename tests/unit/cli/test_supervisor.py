"""The supervisor starts, restarts and stops real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.supervisor import GivenUp, Program, Supervisor, run_until_signal


def program(tmp_path: Path, name: str, code: str) -> Program:
    return Program(name, [sys.executable, "-c", code], {"MARK": name}, tmp_path / f"{name}.log")


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  # what is waited for happens in other processes
            await asyncio.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


async def test_stop_leaves_no_process_of_the_group_behind(tmp_path: Path) -> None:
    child = "import subprocess,sys,time;p=subprocess.Popen([sys.executable,'-c','import time;time.sleep(60)']);"
    code = child + "print(p.pid,flush=True);time.sleep(60)"
    events: list[tuple[str, str]] = []
    supervisor = Supervisor([program(tmp_path, "a", code)], report=lambda n, e: events.append((n, e)))
    await supervisor.start()
    log = tmp_path / "a.log"
    await eventually(lambda: log.read_text() != "")
    await supervisor.stop()
    leader = int(events[0][1].rsplit(" ", 1)[1])
    await eventually(lambda: gone(leader) and gone(int(log.read_text().split()[-1])))
    assert [event for _, event in events] == [f"started, process {leader}", "stopped"]


async def test_a_killed_program_is_started_again(tmp_path: Path) -> None:
    events: list[tuple[str, str]] = []
    sleeper = program(tmp_path, "a", "import time;time.sleep(60)")
    supervisor = Supervisor([sleeper], report=lambda n, e: events.append((n, e)))
    await supervisor.start()
    os.kill(int(events[0][1].rsplit(" ", 1)[1]), signal.SIGKILL)
    await eventually(lambda: sum(event.startswith("started") for _, event in events) == 2)
    alive = supervisor.alive("a")
    await supervisor.stop()
    assert alive
    assert events[1] == ("a", "ended with signal SIGKILL, starting again in 0.5 s")


async def test_a_program_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    events: list[tuple[str, str]] = []
    deaf = "import signal,time;signal.signal(signal.SIGTERM,signal.SIG_IGN);print(1,flush=True);time.sleep(60)"
    stubborn = program(tmp_path, "a", deaf)
    supervisor = Supervisor([stubborn], report=lambda n, e: events.append((n, e)), grace_seconds=0.2)
    await supervisor.start()
    await eventually(lambda: stubborn.log.read_text() != "")
    await supervisor.stop()
    assert [event for _, event in events[1:]] == ["did not stop within 0.2 s and is killed", "stopped"]


async def test_a_program_that_refuses_its_configuration_ends_the_start_with_its_reason(tmp_path: Path) -> None:
    refusing = program(tmp_path, "a", "import sys;sys.exit(print('a: BIND: no', file=sys.stderr) or 2)")
    sleeper = program(tmp_path, "b", "import time;time.sleep(60)")
    events: list[tuple[str, str]] = []
    supervisor = Supervisor([sleeper, refusing], report=lambda n, e: events.append((n, e)))
    async with asyncio.timeout(20):
        with pytest.raises(GivenUp) as caught:
            await run_until_signal(supervisor, asyncio.Event().wait)
    assert str(caught.value) == f"a does not start; {refusing.log} ends with\na: BIND: no"
    assert not supervisor.alive("b")
    assert [event for _, event in events if "given up" in event or event == "stopped"] == [
        f"ended with exit code 2 and is given up; see {refusing.log}",
        "stopped",
        "stopped",
    ]


async def test_a_signal_ends_the_mesh_while_it_starts(tmp_path: Path) -> None:
    supervisor = Supervisor([program(tmp_path, "a", "import time;time.sleep(60)")])

    async def never() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    async with asyncio.timeout(20):
        await run_until_signal(supervisor, never)
    assert not supervisor.alive("a")
