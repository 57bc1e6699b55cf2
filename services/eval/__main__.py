"""Runs the evaluation service: ``python -m services.eval [--insecure]``; with ``migrate`` its database alone."""

from __future__ import annotations

import os
import sys

from mesh.entry import Database, Service, serving
from services.eval.app import TABLES, App
from services.eval.config import EvalConfig

SERVICE = Service("eval", EvalConfig, serving("eval", App), Database(TABLES))

if __name__ == "__main__":
    sys.exit(SERVICE.main(sys.argv[1:], os.environ))
