"""Runs the training service: ``python -m services.training [--insecure]``."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping

from mesh.arguments import told
from mesh.config import ConfigError, load
from mesh.server import serve
from mesh.telemetry.process import ProcessTelemetry
from services.training.app import App
from services.training.config import TrainingConfig


async def run(config: TrainingConfig) -> None:
    """Serve until a signal comes."""
    telemetry = ProcessTelemetry(config.telemetry, "training")
    telemetry.start()
    app = App(config, telemetry)
    await app.begin()
    await serve(app.server, closing=app.stop)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment, in which Ray's own RAY_ADDRESS stands for the setting where that is not given."""
    own = {"ALTIPLANO_RAY_ADDRESS": environ["RAY_ADDRESS"]} if "RAY_ADDRESS" in environ else {}
    return {**own, **environ}


def main() -> int:
    """Return 0 after an orderly end, 2 for a configuration that can't work."""
    try:
        environ = told("training", sys.argv[1:], environment(os.environ))
        asyncio.run(run(load(TrainingConfig, environ, service="training")))
    except ConfigError as error:
        for problem in error.problems:
            print(f"training: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
