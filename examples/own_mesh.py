"""A mesh that an example brings up for itself and takes down again, whatever ends the example."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cli.deployables import GATEWAY, SERVICES
from cli.health import free, states
from cli.supervisor import die_with_parent

READY_SECONDS = 900.0
INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended."""


@contextmanager
def own_mesh() -> Iterator[subprocess.Popen[bytes]]:
    """Start a mesh and have it stopped, with all that it started, when the block is left; SIGTERM leaves it too.

    Should this process be killed outright, the kernel tells the mesh to stop.

    Raises:
        SystemExit: something listens already where the mesh would.
    """
    for deployable in (*SERVICES, GATEWAY):
        if not free(deployable.address):
            raise SystemExit(f"{deployable.address} is taken: is a mesh up already?")
    mesh = subprocess.Popen([sys.executable, "-m", "cli.main", "up"], preexec_fn=die_with_parent)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield mesh
    finally:
        # whoever asks once more is asking for what happens already
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        mesh.terminate()
        mesh.wait()


def ready(mesh: subprocess.Popen[bytes] | None) -> bool:
    """Wait until every process serves; False if the mesh ended or took too long."""
    return asyncio.run(_ready(mesh))


async def _ready(mesh: subprocess.Popen[bytes] | None) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and (mesh is None or mesh.poll() is None):
        if all(state.serving for state in await states()):
            return True
        await asyncio.sleep(0.5)
    return False


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
