"""Runs the memory service: ``python -m services.memory [--insecure]``; with ``migrate`` its database alone."""

from __future__ import annotations

import os
import sys

from mesh.entry import Database, Service, serving
from services.memory.app import TABLES, App
from services.memory.config import MemoryConfig

SERVICE = Service("memory", MemoryConfig, serving("memory", App), Database(TABLES))

if __name__ == "__main__":
    sys.exit(SERVICE.main(sys.argv[1:], os.environ))
