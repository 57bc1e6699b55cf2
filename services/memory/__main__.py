"""Runs the memory service: ``python -m services.memory [--insecure]``."""

from __future__ import annotations

import asyncio
import gc
import os
import sys

from mesh.arguments import told
from mesh.config import ConfigError, load
from mesh.server import serve
from mesh.telemetry.process import ProcessTelemetry
from services.memory.app import App
from services.memory.config import MemoryConfig

_ALLOCATIONS_PER_COLLECTION = 100_000


async def run(config: MemoryConfig) -> None:
    """Serve until a signal comes."""
    telemetry = ProcessTelemetry(config.telemetry, "memory")
    telemetry.start()
    app = App(config, telemetry)
    await app.begin()
    # what is remembered of documents is much to look through and has no cycles in it, which queries would wait for
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION, 50, 100)
    await serve(app.server, closing=app.stop)


def main() -> int:
    """Return 0 after an orderly end, 2 for a configuration that can't work."""
    try:
        environ = told("memory", sys.argv[1:], os.environ)
        asyncio.run(run(load(MemoryConfig, environ, service="memory")))
    except ConfigError as error:
        for problem in error.problems:
            print(f"memory: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
