"""What was acknowledged outlives a process that is killed, and nothing half done is found."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import defaultdict
from pathlib import Path

from llamastack.memory.v1 import document_pb2
from services.memory.edge_store import EdgeStore
from tests.integration.memory.serving import serving
from tests.integration.memory.worker import text

ROUNDS = 3


async def killed(folder: Path, start: int, acknowledgements: int) -> list[tuple[str, int]]:
    """Run a worker, kill it after so many acknowledgements, and return all that it gave."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.memory.worker", str(folder), str(start)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    lines: list[bytes] = []
    async with asyncio.timeout(60):
        while len(lines) < acknowledgements:
            line = await process.stdout.readline()
            assert line, "the worker ended by itself"
            lines.append(line)
        process.kill()
        lines += (await process.stdout.read()).splitlines()
        await process.wait()
    return [(name.decode(), int(edition)) for name, edition in (line.split() for line in lines)]


async def test_every_acknowledged_document_is_found_whole_after_each_kill(tmp_path: Path) -> None:
    acknowledged: dict[str, int] = {}
    for turn in range(ROUNDS):
        # the moment of the kill is random, the answer is not
        for name, edition in await killed(tmp_path, turn * 1000, random.randint(1, 40)):
            acknowledged[name] = edition
        async with serving(EdgeStore(tmp_path / "banks"), f"sqlite:///{tmp_path}/memory.db") as served:
            await served.upkeep.clear(0)
            answer = await served.query("bank", "document edition paragraph of five", max_chunks=1000)
            chunks: defaultdict[str, list[str]] = defaultdict(list)
            for chunk in answer.chunks:
                chunks[chunk.document_id].append(chunk.content)
            assert len(answer.chunks) < 1000
            assert chunks.keys() >= acknowledged.keys()
            for name, found in chunks.items():
                editions = [1, 2] if acknowledged.get(name) != 2 else [2]
                assert sorted(found) in [sorted(text(name, edition).split("\n\n")) for edition in editions]
            request = document_pb2.GetDocumentsRequest(bank_id="bank", document_ids=list(acknowledged))
            assert len((await served.stub.GetDocuments(request)).documents) == len(acknowledged)
