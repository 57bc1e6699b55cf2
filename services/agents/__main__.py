"""Runs the agents service: ``python -m services.agents [--insecure]``; with ``migrate`` its database alone."""

from __future__ import annotations

import os
import sys

from mesh.entry import Database, Service, serving
from services.agents.app import TABLES, App
from services.agents.config import AgentsConfig

SERVICE = Service("agents", AgentsConfig, serving("agents", App), Database(TABLES))

if __name__ == "__main__":
    sys.exit(SERVICE.main(sys.argv[1:], os.environ))
