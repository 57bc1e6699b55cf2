"""A process that writes into a bank until it is killed: ``python -m tests.integration.memory.worker FOLDER START``.

Prints the number of each document once its insertion was acknowledged.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from services.memory.edge_store import EdgeStore
from tests.integration.memory.serving import Served, document, serving


async def main(folder: Path, start: int) -> None:
    """Insert documents of several chunks, each new or in the place of an old one."""
    async with serving(EdgeStore(folder / "banks"), f"sqlite:///{folder}/memory.db") as served:
        if start == 0:
            await served.create("bank", chunk_size_in_tokens=16, overlap_size_in_tokens=0)
        await asyncio.gather(*(write(served, lane, start) for lane in range(3)))


async def write(served: Served, lane: int, number: int) -> None:
    """Insert and then replace documents, without end."""
    while True:
        name = f"{lane}-{number}"
        await served.insert("bank", document(name, text(name, 1)))
        print(name, 1, flush=True)
        await served.insert("bank", document(name, text(name, 2)), replace=True)
        print(name, 2, flush=True)
        number += 1


def text(name: str, edition: int) -> str:
    """Return a text of five chunks."""
    return "\n\n".join(f"document {name} edition {edition} paragraph {part} of five" for part in range(5))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
