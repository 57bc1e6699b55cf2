"""A process that writes into a bank until it is killed: ``python -m tests.integration.memory.worker FOLDER BANK``.

Prints the name and the edition of each document once it was acknowledged.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from llamastack.memory.v1 import document_pb2
from services.memory.edge_store import EdgeStore
from tests.integration.memory.serving import Served, document, serving

LANES = 3
AHEAD = 16
"""Documents that a lane sends before it waits for acknowledgements."""


async def main(folder: Path, bank: str) -> None:
    """Insert documents of several chunks, each new or in the place of an old one."""
    store = EdgeStore(folder / "banks", optimize_after=10, improve=untouched)
    async with serving(store, f"sqlite:///{folder}/memory.db") as served:
        await served.create(bank, "hybrid", chunking={"chunk_size_in_tokens": 16, "overlap_size_in_tokens": 0})
        await asyncio.gather(*(write(served, bank, lane) for lane in range(LANES)))


async def untouched(folder: Path) -> bool:
    """Improve nothing, so that copies take the place of the bank as often as can be."""
    return True


async def write(served: Served, bank: str, lane: int) -> None:
    """Insert and then replace documents in bulk, without end."""
    room = asyncio.Semaphore(AHEAD)
    sent: list[tuple[str, int]] = []

    async def requests() -> AsyncIterator[document_pb2.BulkInsertDocumentsRequest]:
        yield document_pb2.BulkInsertDocumentsRequest(bank_id=bank, replace=True)
        number = 0
        while True:
            for edition in (1, 2):
                await room.acquire()
                sent.append((f"{lane}-{number}", edition))
                made = document(sent[-1][0], text(*sent[-1]), lane=lane)
                yield document_pb2.BulkInsertDocumentsRequest(document=made)
            number += 1

    async for progress in served.stub.BulkInsertDocuments(requests()):
        name, edition = sent[progress.index]
        print(f"{name} {edition}", flush=True)
        room.release()


def text(name: str, edition: int) -> str:
    """Return a text of five chunks."""
    return "\n\n".join(f"document {name} edition {edition} paragraph {part} of five" for part in range(5))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
