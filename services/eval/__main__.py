"""Runs the evaluation service: ``python -m services.eval [--insecure]``."""

from __future__ import annotations

import asyncio
import os
import sys

from mesh.arguments import told
from mesh.config import ConfigError, load
from mesh.server import serve
from mesh.telemetry.process import ProcessTelemetry
from services.eval.app import App
from services.eval.config import EvalConfig


async def run(config: EvalConfig) -> None:
    """Serve until a signal comes."""
    telemetry = ProcessTelemetry(config.telemetry, "eval")
    telemetry.start()
    app = App(config, telemetry)
    await app.begin()
    await serve(app.server, closing=app.stop)


def main() -> int:
    """Return 0 after an orderly end, 2 for a configuration that can't work."""
    try:
        environ = told("eval", sys.argv[1:], os.environ)
        asyncio.run(run(load(EvalConfig, environ, service="eval")))
    except ConfigError as error:
        for problem in error.problems:
            print(f"eval: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
