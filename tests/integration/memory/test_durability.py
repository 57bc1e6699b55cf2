"""What was acknowledged outlives a process that is killed, and nothing half done is found.

``ALTIPLANO_TEST_KILLS`` is the number of kills, 3 by default.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from llamastack.memory.v1 import document_pb2, query_pb2
from services.memory.edge_store import EdgeStore
from tests.integration.memory.serving import Served, serving, value
from tests.integration.memory.worker import LANES, text

QUERY = "document edition paragraph of five"
KILLS = int(os.environ.get("ALTIPLANO_TEST_KILLS", "3"))


async def killed(folder: Path, bank: str) -> dict[str, int]:
    """Run a worker, kill it some time after its first acknowledgement, and return each document's last edition."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.memory.worker", str(folder), bank),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    first = await asyncio.wait_for(process.stdout.readline(), 60)
    assert first, "the worker ended by itself"
    reading = asyncio.ensure_future(process.stdout.read())
    # the moment is random, the answer is not
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(process.wait(), random.uniform(0.0, 0.6))
    process.kill()
    # a line that the kill cut off acknowledges nothing
    lines = (first + await reading).decode().split("\n")[:-1]
    await process.wait()
    return {name: int(edition) for name, edition in (line.split() for line in lines)}


async def found(served: Served, bank: str, query: str) -> dict[str, list[str]]:
    """Return the chunks of each document that a query finds in a bank, in order."""
    chunks: defaultdict[str, list[str]] = defaultdict(list)
    for lane in range(LANES):
        condition = query_pb2.MetadataCondition(key="lane", equals=value(lane))
        chosen = query_pb2.MetadataFilter(all=[condition])
        answer = await served.query(bank, query, max_chunks=1000, filter=chosen)
        assert len(answer.chunks) < 1000
        for chunk in answer.chunks:
            chunks[chunk.document_id].append(chunk.content)
    return {name: sorted(pieces) for name, pieces in chunks.items()}


@pytest.mark.timeout(60 + 30 * KILLS)
async def test_every_acknowledged_document_is_found_whole_after_each_kill(tmp_path: Path) -> None:
    kept: dict[str, dict[str, list[str]]] = {}
    for turn in range(KILLS):
        bank = f"bank-{turn}"
        acknowledged = await killed(tmp_path, bank)
        async with serving(EdgeStore(tmp_path / "banks"), f"sqlite:///{tmp_path}/memory.db") as served:
            chunks = await found(served, bank, QUERY)
            assert chunks.keys() >= acknowledged.keys()
            for name, pieces in chunks.items():
                editions = [1, 2] if acknowledged.get(name) != 2 else [2]
                assert pieces in [text(name, edition).split("\n\n") for edition in editions]
            request = document_pb2.GetDocumentsRequest(bank_id=bank, document_ids=list(chunks))
            contents = {
                one.document_id: one.content.data for one in (await served.stub.GetDocuments(request)).documents
            }
            assert contents == {name: "\n\n".join(pieces).encode() for name, pieces in chunks.items()}
            # what the dead process left half done is not among them before it is cleared away nor after
            await served.upkeep.clear(0)
            assert await found(served, bank, QUERY) == chunks
            kept[bank] = chunks
    async with serving(EdgeStore(tmp_path / "banks"), f"sqlite:///{tmp_path}/memory.db") as served:
        assert {bank: await found(served, bank, QUERY) for bank in kept} == kept
