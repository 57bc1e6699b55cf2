"""Taking documents as they come, as many at once as are there."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, TypeAlias

from llamastack.memory.v1.document_pb2 import MemoryBankDocument

LINGER_S: Final = 0.05
"""Seconds that documents wait for others to be embedded with."""
FEWEST: Final = 64
MOST: Final = 512
"""Documents that are taken at once: as many as are worked on in half a second, within these bounds."""
GROUP_S: Final = 0.5
MOST_BYTES: Final = 16 * 1024 * 1024
"""What is taken at once as well, though always one document; so that large ones don't pile up."""

Numbered: TypeAlias = tuple[int, MemoryBankDocument]


class Intake:
    """Takes documents and numbers them from 0; while some are worked on, no more than the next ones are read."""

    def __init__(self, incoming: AsyncIterator[MemoryBankDocument]) -> None:
        """Keep where they come from; nothing is read before :meth:`take`."""
        self._incoming = incoming
        self._reading: asyncio.Task[None] | None = None
        self._waiting: deque[tuple[MemoryBankDocument, int]] = deque()
        self._bytes = 0
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._room = asyncio.Event()
        self._taken = 0
        self._at_once = FEWEST

    def worked(self, documents: int, seconds: float) -> None:
        """Tell how long so many documents took: few slow ones let nobody wait, many quick ones cost less each."""
        self._at_once = max(FEWEST, min(MOST, int(documents * GROUP_S / max(seconds, 1e-6))))

    async def take(self) -> list[Numbered]:
        """Return the next documents, no id twice; none at the end.

        What the source of the documents raises is raised when those before have been taken.
        """
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read())
        await self._some.wait()
        try:
            async with asyncio.timeout(LINGER_S):
                await self._enough.wait()
        except TimeoutError:
            pass
        batch: list[Numbered] = []
        ids: set[str] = set()
        size = 0
        while self._waiting and len(batch) < self._at_once and size < MOST_BYTES:
            document, its_size = self._waiting[0]
            if document.document_id in ids:
                break
            self._waiting.popleft()
            batch.append((self._taken, document))
            ids.add(document.document_id)
            self._taken += 1
            size += its_size
        self._bytes -= size
        self._room.set()
        if not self._reading.done():
            if not self._waiting:
                self._some.clear()
            if not self._full():
                self._enough.clear()
        elif not batch:
            self._reading.result()
        return batch

    def stop(self) -> None:
        """Take nothing more."""
        if self._reading is not None:
            self._reading.cancel()

    async def _read(self) -> None:
        try:
            async for document in self._incoming:
                size = document.ByteSize()
                self._waiting.append((document, size))
                self._bytes += size
                self._some.set()
                if self._full():
                    self._enough.set()
                    self._room.clear()
                    await self._room.wait()
        finally:
            self._some.set()
            self._enough.set()

    def _full(self) -> bool:
        return len(self._waiting) >= self._at_once or self._bytes >= MOST_BYTES
