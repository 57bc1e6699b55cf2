"""Taking documents as they come, as many at once as are there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final, TypeAlias

from llamastack.memory.v1.document_pb2 import MemoryBankDocument

LINGER_S: Final = 0.05
"""Seconds that documents wait for others to be embedded with."""
MOST_DOCUMENTS: Final = 64
MOST_BYTES: Final = 16 * 1024 * 1024
"""What is taken at once, though always one document; so that large ones don't pile up."""

Numbered: TypeAlias = tuple[int, MemoryBankDocument]


class Intake:
    """Takes documents and numbers them from 0."""

    def __init__(self, incoming: AsyncIterator[MemoryBankDocument]) -> None:
        """Keep where they come from; nothing is taken before :meth:`take`."""
        self._incoming = incoming
        self._coming: asyncio.Future[MemoryBankDocument | None] | None = None
        self._taken = 0

    async def take(self) -> list[Numbered]:
        """Return the next documents, no id twice; none at the end."""
        batch: list[Numbered] = []
        ids: set[str] = set()
        size = 0
        loop = asyncio.get_running_loop()
        until = loop.time()
        while len(batch) < MOST_DOCUMENTS and size < MOST_BYTES:
            if self._coming is None:
                self._coming = asyncio.ensure_future(anext(self._incoming, None))
            if not self._coming.done():
                await asyncio.wait([self._coming], timeout=max(0.0, until - loop.time()) if batch else None)
            if not self._coming.done():
                break
            document = self._coming.result()
            if document is None or document.document_id in ids:
                break
            self._coming = None
            if not batch:
                until = loop.time() + LINGER_S
            batch.append((self._taken, document))
            ids.add(document.document_id)
            self._taken += 1
            size += document.ByteSize()
        return batch

    def stop(self) -> None:
        """Take nothing more."""
        if self._coming is not None:
            self._coming.cancel()
