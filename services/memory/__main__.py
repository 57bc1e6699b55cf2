"""Runs the memory service: ``python -m services.memory [--insecure]``; with ``migrate`` its database alone."""

from __future__ import annotations

import gc
import os
import sys

from mesh.entry import Database, Service, serving
from services.memory.app import TABLES, App
from services.memory.config import MemoryConfig

_ALLOCATIONS_PER_COLLECTION = 100_000


def spare() -> None:
    """Have the collector leave alone what is remembered of documents: it is much, and has no cycles in it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION, 50, 100)


SERVICE = Service("memory", MemoryConfig, serving("memory", App, spare), Database(TABLES))

if __name__ == "__main__":
    sys.exit(SERVICE.main(sys.argv[1:], os.environ))
