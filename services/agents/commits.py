"""Writes of many turns in few transactions: those that come while one is under way share the next one.

A database that takes one writer at a time (SQLite) or that waits for a disk at each commit is so asked as rarely as
possible, and nobody waits for anybody who came later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection

from mesh.storage import Storage

log = logging.getLogger(__name__)

Write: TypeAlias = Callable[[Connection], Any]
"""Writes within a transaction that it neither begins nor ends, possibly in another thread.

It may be called again when the transaction failed.
"""

_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True)
class _Wanted:
    write: Write
    ready: Callable[[], None] | None
    outcome: asyncio.Future[Any]


class Commits:
    """The one writer of a process."""

    def __init__(self, storage: Storage) -> None:
        """Keep the database; nothing is written before :meth:`start`."""
        self._storage = storage
        self._wanted: list[_Wanted] = []
        self._due = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what is wanted so far and end; what comes later is never written."""
        if self._task is None:
            return
        while self._wanted:
            await asyncio.wait([wanted.outcome for wanted in self._wanted])
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def submit(self, write: Write, ready: Callable[[], None] | None = None) -> asyncio.Future[Any]:
        """Have something written with the next transaction; the future is done when it is committed.

        It gets what ``write`` returns or raises. Writes are made in the order in which they were submitted; right
        before its own, ``ready`` is called once, on the event loop.
        """
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._wanted.append(_Wanted(write, ready, outcome))
        self._due.set()
        return outcome

    async def _run(self) -> None:
        while True:
            await self._due.wait()
            batch = self._wanted[:_AT_ONCE]
            for wanted in batch:
                if wanted.ready is not None:
                    wanted.ready()
            await self._commit(batch)
            del self._wanted[: len(batch)]
            if not self._wanted:
                self._due.clear()

    async def _commit(self, batch: list[_Wanted]) -> None:
        """Write a batch in one transaction; when that fails, each alone, so that one does not take the others along."""
        try:
            results = await self._storage.write(lambda connection: [wanted.write(connection) for wanted in batch])
        except Exception as error:  # noqa: BLE001 - whatever one write raises, the others go on
            if len(batch) == 1:
                _settle(batch[0], error=error)
                return
            for wanted in batch:
                await self._commit([wanted])
            return
        for wanted, result in zip(batch, results, strict=True):
            _settle(wanted, result=result)


def _settle(wanted: _Wanted, result: Any = None, error: Exception | None = None) -> None:
    if wanted.outcome.done():
        return
    if error is None:
        wanted.outcome.set_result(result)
    else:
        wanted.outcome.set_exception(error)
