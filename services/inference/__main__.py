"""Runs the inference service: ``python -m services.inference [--insecure]``."""

from __future__ import annotations

import asyncio
import os
import sys

from mesh.arguments import told
from mesh.config import ConfigError, load
from mesh.errors import MeshError
from mesh.server import serve
from mesh.telemetry.process import ProcessTelemetry
from services.inference.app import App
from services.inference.config import InferenceConfig


async def run(config: InferenceConfig) -> None:
    """Serve until a signal comes."""
    telemetry = ProcessTelemetry(config.telemetry, "inference")
    telemetry.start()
    app = App(config, telemetry)
    try:
        app.begin()
    except MeshError as error:
        await app.stop()
        raise ConfigError([error.message]) from error
    try:
        await serve(app.server, closing=app.stop, condition=app.settled)
    except MeshError as error:
        raise ConfigError([error.message]) from error


def main() -> int:
    """Return 0 after an orderly end, 2 for a configuration that can't work, a model that can't be loaded included."""
    try:
        environ = told("inference", sys.argv[1:], os.environ)
        asyncio.run(run(load(InferenceConfig, environ, service="inference")))
    except ConfigError as error:
        for problem in error.problems:
            print(f"inference: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
