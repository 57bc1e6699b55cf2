"""Writes of many turns in few transactions: those that come while one is under way share the next one.

A database that takes one writer at a time (SQLite) or that waits for a disk at each commit is so asked as rarely as
possible, and nobody waits for anybody who came later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from mesh.errors import MeshError
from mesh.storage import Storage, Writer

log = logging.getLogger(__name__)

Write: TypeAlias = Callable[[AsyncConnection], Awaitable[Any]]
"""Writes within a transaction that it neither begins nor ends; it may be called again when that one failed."""

_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True)
class _Wanted:
    write: Write
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

    def submit(self, write: Write) -> asyncio.Future[Any]:
        """Have something written with the next transaction; the future is done when it is committed.

        It gets what ``write`` returns or raises. Writes are made in the order in which they were submitted.
        """
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._wanted.append(_Wanted(write, outcome))
        self._due.set()
        return outcome

    async def _run(self) -> None:
        while True:
            await self._due.wait()
            try:
                async with self._storage.writer() as writer:
                    while await self._next(writer):
                        pass
            except MeshError as error:
                self._fail(error)

    async def _next(self, writer: Writer) -> bool:
        """Write what is wanted in one transaction; return whether the connection is of further use."""
        await self._due.wait()
        batch = self._wanted[:_AT_ONCE]
        try:
            async with writer.writing() as connection:
                results = [await wanted.write(connection) for wanted in batch]
        except Exception:  # noqa: BLE001 - whatever one write raises, the others go on
            await self._one_by_one(batch)
            return False
        self._done(batch)
        for wanted, result in zip(batch, results, strict=True):
            _settle(wanted, result=result)
        return True

    async def _one_by_one(self, batch: list[_Wanted]) -> None:
        """Write a batch that failed as a whole on fresh connections, each write alone.

        So one that is to blame does not take the others along, and a connection that broke while idle none at all.
        """
        for wanted in batch:
            try:
                async with self._storage.writer() as writer, writer.writing() as connection:
                    result = await wanted.write(connection)
            except Exception as error:  # noqa: BLE001 - as above
                _settle(wanted, error=error)
            else:
                _settle(wanted, result=result)
        self._done(batch)

    def _fail(self, error: MeshError) -> None:
        """Tell those who wait that the database can't be reached."""
        batch = list(self._wanted)
        self._done(batch)
        for wanted in batch:
            _settle(wanted, error=error)

    def _done(self, batch: list[_Wanted]) -> None:
        del self._wanted[: len(batch)]
        if not self._wanted:
            self._due.clear()


def _settle(wanted: _Wanted, result: Any = None, error: Exception | None = None) -> None:
    if wanted.outcome.done():
        return
    if error is None:
        wanted.outcome.set_result(result)
    else:
        wanted.outcome.set_exception(error)
