"""Clearing away what counts for nothing any more: documents whose time is over, and what writes left in the store."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from mesh.errors import MeshError
from services.memory.documents import Documents
from services.memory.store import Store

log = logging.getLogger(__name__)

INTERVAL_S: Final = 60.0
GRACE_S: Final = 3600.0
"""Seconds that a write may take; what is left over for longer belongs to nobody."""


class Upkeep:
    """Clears away in the background. ``clock`` gives Unix seconds."""

    def __init__(self, documents: Documents, store: Store, clock: Callable[[], float]) -> None:
        """Keep the parts; nothing runs before :meth:`run`."""
        self._documents = documents
        self._store = store
        self._clock = clock

    async def run(self, *, alone: bool) -> None:
        """Clear away until cancelled; ``alone`` says that no other process writes: all is left over at first."""
        grace = 0.0 if alone else GRACE_S
        while True:
            try:
                await self.clear(grace)
            except MeshError as error:
                # what could not be cleared counts for nothing and is tried again
                log.warning("clearing away failed: %s", error.message)
            grace = GRACE_S
            await asyncio.sleep(INTERVAL_S)

    async def clear(self, grace_s: float) -> None:
        """Clear away what has been left over for so many seconds.

        Raises:
            MeshError: the database or the store can't be reached.
        """
        await self._documents.expire()
        banks: defaultdict[str, list[str]] = defaultdict(list)
        for bank, revision in await self._documents.leftovers(self._clock() - grace_s):
            banks[bank].append(revision)
        for bank, revisions in banks.items():
            if "" in revisions:
                await self._store.drop(bank)
            else:
                await self._store.forget(bank, revisions)
            await self._documents.cleared(bank, revisions)
