"""A service whose model can't be loaded says why: at once and for good, or until another attempt works."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from cli.supervisor import die_with_parent
from mesh.client import Client, ClientConfig
from tests.e2e.conftest import descendants
from tests.ports import free_port
from tests.tiny_model import make_checkpoint

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 600.0
SERVICE = "llamastack.inference.v1.InferenceService"


@asynccontextmanager
async def started(folder: Path, data: Path, address: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the service with a model; what it says is in ``data / "log"``."""
    environment = os.environ | {
        "ALTIPLANO_INFERENCE_BIND": address,
        "ALTIPLANO_INFERENCE_DATA": str(data),
        "ALTIPLANO_INFERENCE_MODEL": str(folder),
        "ALTIPLANO_INFERENCE_MODEL_ID": "tiny",
        "ALTIPLANO_INFERENCE_DTYPE": "float32",
        "ALTIPLANO_INFERENCE_EMBEDDING_MODEL": "",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}",
    }
    with (data / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.inference"),
            env=environment,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), 60)


def of_an_unknown_kind(folder: Path) -> None:
    settings = folder / "config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"architectures": ["GrandLlamaForCausalLM"]}))


def cut_short(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def larger_than_the_machine(folder: Path) -> None:
    settings = folder / "config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"vocab_size": 1 << 40}))


def gone(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (gone, "model source"),
        (of_an_unknown_kind, "GrandLlamaForCausalLM"),
        (cut_short, "incomplete metadata"),
        (larger_than_the_machine, "out of memory"),
    ],
)
async def test_a_model_that_can_never_be_loaded_ends_the_service_with_the_reason(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    folder = make_checkpoint(tmp_path / "tiny")
    spoil(folder)
    async with started(folder, tmp_path, f"127.0.0.1:{free_port()}") as process:
        code = await asyncio.wait_for(process.wait(), SECONDS)
    log = (tmp_path / "log").read_text()
    last = log.splitlines()[-1]
    assert code == 2, log
    assert last.startswith("inference: "), log
    assert words.lower() in last.lower()


async def test_an_engine_that_is_killed_while_it_loads_is_started_again(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    folder = make_checkpoint(tmp_path / "tiny")
    async with started(folder, tmp_path, address) as process, asyncio.timeout(SECONDS):
        os.kill(await asyncio.to_thread(engine_below, process.pid), signal.SIGKILL)
        await serving(address)
        log = (tmp_path / "log").read_text()
    assert process.returncode == 0
    assert "the engine ended while it loaded the model; trying again in 1 s" in log


def engine_below(pid: int) -> int:
    """Return vLLM's engine core below the service as soon as there is one."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for child in descendants(pid):
            with suppress(OSError):
                if b"EngineCore" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return child
        time.sleep(0.05)
    raise AssertionError("there is no engine core")


async def serving(address: str) -> None:
    """Return when the service's health says so."""
    async with Client(ClientConfig()) as client:
        stub: Any = HealthStub(client.channel(address))
        watch = stub.Watch(HealthCheckRequest(service=SERVICE), wait_for_ready=True)
        async for health in watch:
            if health.status == HealthCheckResponse.SERVING:
                break
        watch.cancel()
