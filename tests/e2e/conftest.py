"""The whole mesh as a user starts it: ``altiplano up`` with a tiny model, once for all tests of this folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest

from cli.supervisor import die_with_parent
from tests.ports import free_address
from tests.tiny_model import make_checkpoint

READY_SECONDS = 900.0
STOP_SECONDS = 60.0


@dataclass(frozen=True)
class RunningMesh:
    """Where the processes are; ``data`` is the folder of the mesh, with the logs."""

    inference: str
    agents: str
    memory: str
    training: str
    eval: str
    gateway: str
    metrics: str
    data: Path
    supervisor: int

    @property
    def services(self) -> tuple[str, ...]:
        """The addresses of the gRPC services."""
        return (self.inference, self.agents, self.memory, self.training, self.eval)

    def channel(self) -> grpc.Channel:
        """Return a channel to the inference service."""
        return grpc.insecure_channel(self.inference)

    def metric(self, name: str) -> float:
        """Return a metric of the inference service."""
        text = httpx.get(f"http://{self.metrics}/metrics", trust_env=False).text
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


def processes() -> dict[int, tuple[int, int]]:
    """Return parent and session of every process that runs; one that waits to be reaped is over."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    found[int(entry.name)] = (int(fields[1]), int(fields[3]))
        except OSError:
            continue
    return found


def descendants(pid: int) -> set[int]:
    """Return every process below a process."""
    known = processes()
    found, fresh = set[int](), {pid}
    while fresh:
        found |= fresh
        fresh = {child for child, (parent, _) in known.items() if parent in fresh}
    return found - {pid}


@contextmanager
def running(folder: Path, settings: Mapping[str, str], *options: str) -> Iterator[RunningMesh]:
    """Start a mesh and wait until it serves; afterwards stop it as Ctrl-C does and see that nothing is left."""
    names = ("inference", "agents", "memory", "training", "eval", "gateway", "metrics")
    addresses = {name: free_address() for name in names}
    environment = os.environ | {
        **{f"ALTIPLANO_{name.upper()}_ADDRESS": addresses[name] for name in names[:-1]},
        "ALTIPLANO_INFERENCE_METRICS_PORT": addresses["metrics"].rpartition(":")[2],
        "ALTIPLANO_INFERENCE_DTYPE": "float32",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).resolve().parents[2]), "gen"]),
        **settings,
    }
    command = [sys.executable, "-m", "cli.main", "up", "--data", str(folder / "data"), *options]
    log_file = folder / "up.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, preexec_fn=die_with_parent)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while "The mesh is up" not in log_file.read_text():
            logs = "".join(path.read_text()[-3000:] for path in folder.rglob("*.log"))
            assert process.poll() is None, logs
            assert time.monotonic() < deadline, logs
            time.sleep(0.2)
        yield RunningMesh(**addresses, data=folder / "data", supervisor=process.pid)
    finally:
        sessions = {processes()[pid][1] for pid in descendants(process.pid)}
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert code == 0
    assert [pid for pid, (_, session) in processes().items() if session in sessions] == []


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMesh]:
    """A mesh with a tiny model of random weights."""
    folder = tmp_path_factory.mktemp("mesh")
    model = make_checkpoint(folder / "tiny")
    settings = {"ALTIPLANO_EVAL_LM_EVAL_TASKS": str(folder / "tasks"), "ALTIPLANO_TRACE_RATIO": "1"}
    with running(folder, settings, "--model", str(model)) as started:
        yield started
