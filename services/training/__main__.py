"""Runs the training service: ``python -m services.training [--insecure]``; with ``migrate`` its database alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from mesh.entry import Database, Service, serving
from services.training.app import TABLES, App
from services.training.config import TrainingConfig

SERVICE = Service("training", TrainingConfig, serving("training", App), Database(TABLES))


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment, in which Ray's own RAY_ADDRESS stands for the setting where that is not given."""
    own = {"ALTIPLANO_RAY_ADDRESS": environ["RAY_ADDRESS"]} if "RAY_ADDRESS" in environ else {}
    return {**own, **environ}


if __name__ == "__main__":
    sys.exit(SERVICE.main(sys.argv[1:], environment(os.environ)))
