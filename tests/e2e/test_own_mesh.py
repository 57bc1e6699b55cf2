"""An example that brings a mesh up takes it down again, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import descendants, processes
from tests.ports import free_port

pytestmark = pytest.mark.timeout(240)

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("INFERENCE", "AGENTS", "MEMORY", "TRAINING", "EVAL", "GATEWAY")
SECONDS = 90.0


@dataclass(frozen=True)
class Example:
    """A program with a mesh of its own that is starting; ``sessions`` are those of the mesh's processes."""

    process: subprocess.Popen[bytes]
    sessions: frozenset[int]

    def left(self) -> list[int]:
        """Return the processes of the mesh that run."""
        return [pid for pid, (_, session) in processes().items() if session in self.sessions]


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Example]:
    """Start the demonstration in a process group of its own, and wait until its mesh has begun to start."""
    log = tmp_path / "demo.log"
    environment = os.environ | {
        **{f"ALTIPLANO_{name}_ADDRESS": f"127.0.0.1:{free_port()}" for name in SERVICES},
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen")]),
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "examples.demo"],
            cwd=tmp_path,
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        until(lambda: log.read_text().count(": started") == len(SERVICES) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        found = processes()
        own = {found[pid][1] for pid in descendants(process.pid) if pid in found}
        yield Example(process, frozenset(own - {process.pid}))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def until(condition: object) -> None:
    """Wait for something that nothing signals, and fail when it takes too long."""
    assert callable(condition)
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_ctrl_c_ends_the_mesh_with_the_example(example: Example) -> None:
    assert len(example.left()) >= len(SERVICES)
    # a terminal tells the whole group
    os.killpg(example.process.pid, signal.SIGINT)
    assert example.process.wait(SECONDS) == 130
    assert example.left() == []


def test_a_mesh_does_not_outlive_an_example_that_is_killed(example: Example) -> None:
    example.process.kill()
    example.process.wait()
    until(lambda: example.left() == [])
