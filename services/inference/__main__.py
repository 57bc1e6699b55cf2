"""Runs the inference service: ``python -m services.inference [--insecure]``."""

from __future__ import annotations

import os
import sys

from mesh.config import ConfigError
from mesh.entry import Service
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


SERVICE = Service("inference", InferenceConfig, run)

if __name__ == "__main__":
    sys.exit(SERVICE.main(sys.argv[1:], os.environ))
