"""Fetches a source as the service does: ``fetching.py SOURCE CACHE``; prints the end of it as a line of JSON.

A process of its own, because the hub's client reads where the hub is when it is imported.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from mesh.errors import MeshError
from services.inference.sources import Progress, Sources


async def main(source: str, cache: str) -> None:
    """Fetch and tell how it ended: what the first and the last progress was, the folder, or the error."""
    sources = Sources(Path(cache))
    steps: list[Progress] = []
    try:
        async for step in sources.fetch(source):
            steps.append(step)
    except MeshError as error:
        end = {"error": type(error).__name__, "message": error.message}
    else:
        end = {"folder": str(sources.folder(source))}
    ends = [[step.file, step.done, step.total] for step in (steps[:1] + steps[-1:])]
    print(json.dumps(end | {"progress": ends}))


asyncio.run(main(*sys.argv[1:]))
