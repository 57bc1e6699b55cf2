"""The embedded store: Qdrant's engine in this process, one folder per bank, owned by one process at a time.

Updates are in the write-ahead log when they return, so that they outlive the process. The index of a bank is improved
in the background, in a process of its own; searches and updates go on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from qdrant_edge import Filter, Query, QueryRequest, SearchParams, TextQuery, UpdateOperation

from mesh.errors import BackendUnavailable
from services.memory import generations, improvement, points, shards
from services.memory.shards import Shard
from services.memory.store import Hit, Search, Shape, StoredChunk

log = logging.getLogger(__name__)

THREADS: Final = 4
_FEW: Final = 256
"""Revisions that are carried over while writers wait."""
Improve: TypeAlias = Callable[[Path], Awaitable[bool]]
"""Improves the index of a shard in a folder that nobody has open; tells whether there was something to do."""
_Result = TypeVar("_Result")


@dataclass(slots=True)
class _Bank:
    """An open bank: its shard, its users at this moment, and its new chunks since the index was improved.

    While its index is improved, ``touched`` are the revisions that were written or forgotten since. Once there is a
    ``successor``, it is searched to the end but not written to any more.
    """

    shard: Shard
    fresh: int = 0
    users: int = 0
    touched: set[str] | None = None
    successor: _Bank | None = None
    improving: asyncio.Task[None] | None = None
    waiting: bool = False
    closing: bool = False
    improver: asyncio.Future[bool] | None = None
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    unused: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Begin unused."""
        self.unused.set()

    def enter(self) -> None:
        """Keep the bank open until it is left."""
        self.users += 1
        self.unused.clear()

    def leave(self) -> None:
        """Let it be closed once nobody uses it."""
        self.users -= 1
        if not self.users:
            self.unused.set()

    def touch(self, revisions: set[str]) -> None:
        """Note what has to be carried over to the improved shard."""
        if self.touched is not None:
            self.touched |= revisions


class EdgeStore:
    """A :class:`~services.memory.store.Store` in a folder.

    Args:
        folder: where the banks are; made if it is not there.
        max_open: banks that are kept open; more are open only while they are used.
        optimize_after: new chunks in a bank after which its index is improved.
        improve: how that is done; in a process of its own by default.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_open: int = 64,
        optimize_after: int = 10000,
        improve: Improve = improvement.improve,
    ) -> None:
        self._folder = folder
        self._max_open = max_open
        self._optimize_after = optimize_after
        self._improve = improve
        self._open: OrderedDict[str, _Bank] = OrderedDict()
        self._opening = asyncio.Lock()
        self._one = asyncio.Semaphore(1)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="edge")

    async def create(self, bank: str, shape: Shape) -> None:
        """Make the bank's folder and its indexes."""
        async with self._opening:
            if bank in self._open or self._path(bank).exists():
                return
            self._open[bank] = _Bank(await self._run(shards.create, self._path(bank), shape))
            await self._close_idle()

    async def drop(self, bank: str) -> None:
        """Close the bank and delete its folders."""
        async with self._opening:
            await self._shut(bank)
            await self._run(generations.delete, self._folder, bank)

    async def write(self, bank: str, chunks: Sequence[StoredChunk]) -> None:
        """Store chunks, in operations of some hundred."""
        if not chunks:
            return
        async with self._changing(bank) as opened:
            try:
                await self._run(shards.write, opened.shard, chunks)
            finally:
                opened.touch({chunk.revision for chunk in chunks})
            opened.fresh += len(chunks)
            if opened.fresh >= self._optimize_after and opened.improving is None:
                self._begin_improving(bank, opened)

    async def forget(self, bank: str, revisions: Sequence[str]) -> None:
        """Delete by the indexed revision."""
        if not revisions or not (bank in self._open or self._path(bank).exists()):
            return
        chosen = Filter(must=[shards.any_of(points.REVISION, revisions)])
        async with self._changing(bank) as opened:
            try:
                await self._run(opened.shard.engine.update, UpdateOperation.delete_points_by_filter(chosen))
            finally:
                opened.touch(set(revisions))

    async def nearest(self, bank: str, vector: Sequence[float], search: Search) -> list[Hit]:
        """Search the dense vectors, by HNSW where it is built."""
        query = Query.Nearest(list(vector), using=points.DENSE)
        return await self._search(bank, query, search)

    async def matching(self, bank: str, text: str, search: Search) -> list[Hit]:
        """Search the index of the words; a bank from before there was one gets it now."""
        async with _Use(self, bank) as opened:
            indexed = points.TEXT in opened.shard.indexed
        if not indexed:
            async with self._changing(bank) as opened:
                await self._run(shards.index_words, opened.shard)
        return await self._search(bank, TextQuery(points.TEXT, text), search)

    async def check(self) -> None:
        """Return if the folder can be used."""
        try:
            await self._run(lambda: self._folder.mkdir(parents=True, exist_ok=True))
        except OSError as error:
            raise BackendUnavailable("the folder of the embedded store can't be used") from error

    async def close(self) -> None:
        """Write everything out and close every bank; an index that is being improved stays as it was."""
        async with self._opening:
            while self._open:
                await self._shut(next(iter(self._open)))
        self._threads.shutdown()

    async def _search(self, bank: str, query: Query | TextQuery, search: Search) -> list[Hit]:
        request = QueryRequest(
            limit=search.limit,
            query=query,
            filter=shards.chosen(search),
            params=SearchParams(exact=search.exact),
            with_payload=True,
            with_vector=[points.DENSE] if search.with_vectors else False,
        )
        async with _Use(self, bank) as opened:
            found = await self._run(opened.shard.engine.query, request)
        return [points.hit(one.payload or {}, one.score, _dense(one.vector)) for one in found]

    @asynccontextmanager
    async def _changing(self, bank: str) -> AsyncIterator[_Bank]:
        """Hold a bank open for a change, one at a time."""
        while True:
            async with _Use(self, bank) as opened, opened.writing:
                # an improved one may have taken its place meanwhile
                if opened.successor is None:
                    yield opened
                    return

    async def acquire(self, bank: str) -> _Bank:
        """Return a bank, opened if need be, that stays open until it is released."""
        opened = self._open.get(bank)
        if opened is None:
            async with self._opening:
                opened = self._open.get(bank)
                if opened is None:
                    shard = await self._run(shards.load, self._path(bank))
                    # only its owner may clear away what an improvement left that came to no end
                    await self._run(generations.clear, self._folder, bank)
                    opened = self._open[bank] = _Bank(shard, shard.unimproved)
                    opened.enter()
                    await self._close_idle()
                    return opened
        self._open.move_to_end(bank)
        opened.enter()
        return opened

    async def _close_idle(self) -> None:
        """Close the banks that were not used for the longest time, as long as there are too many."""
        idle = [bank for bank, opened in self._open.items() if not opened.users and opened.improving is None]
        for bank in idle[: max(0, len(self._open) - self._max_open)]:
            await self._shut(bank)

    async def _shut(self, bank: str) -> None:
        """Close a bank, that is not to be found any more, when its last user has left."""
        # an improved one may take its place until its improvement has ended
        while (opened := self._open.pop(bank, None)) is not None:
            opened.closing = True
            if opened.improving is not None:
                if opened.waiting:
                    opened.improving.cancel()
                elif opened.improver is not None:
                    opened.improver.cancel()
                await asyncio.wait([opened.improving])
            if opened.successor is None:
                await opened.unused.wait()
                await self._run(opened.shard.engine.close)

    def _begin_improving(self, bank: str, opened: _Bank) -> None:
        opened.waiting = True
        opened.improving = asyncio.create_task(self._improved(bank, opened))

        def ended(work: asyncio.Task[None]) -> None:
            (opened.successor or opened).improving = None
            if not work.cancelled() and (error := work.exception()) is not None:
                log.error("the index of bank %s could not be improved: %s", bank, error)

        opened.improving.add_done_callback(ended)

    async def _improved(self, bank: str, opened: _Bank) -> None:
        """Have the index of a bank improved, and the improved shard take its place; else the bank goes on as it was."""
        opened.enter()
        path: Path | None = None
        try:
            async with self._one:
                opened.waiting = False
                path = await self._copied(bank, opened)
                if not opened.closing:
                    opened.improver = asyncio.ensure_future(self._improve(path))
                    if await opened.improver:
                        await self._take_over(bank, opened, path)
        except asyncio.CancelledError:
            log.info("the index of bank %s is not improved: the bank is closed", bank)
        finally:
            opened.improver, opened.touched = None, None
            opened.leave()
            if path is not None and opened.successor is None:
                await self._run(shutil.rmtree, path, True)
        if opened.successor is not None:
            await opened.unused.wait()
            await self._run(opened.shard.engine.close)
            await self._run(shutil.rmtree, opened.shard.path, True)

    async def _copied(self, bank: str, opened: _Bank) -> Path:
        async with opened.writing:
            opened.touched, opened.fresh = set(), 0
            path = await self._run(generations.following, self._folder, bank)
            await self._run(improvement.copy, opened.shard.path, path)
        return path

    async def _take_over(self, bank: str, opened: _Bank, path: Path) -> None:
        """Carry over what was written meanwhile, writers waiting for the last of it, and replace the bank."""
        better = await self._run(shards.load, path)
        try:
            while opened.touched is not None and len(opened.touched) > _FEW:
                revisions, opened.touched = opened.touched, set()
                await self._run(improvement.carry, opened.shard.engine, better.engine, revisions)
            async with opened.writing:
                await self._run(improvement.carry, opened.shard.engine, better.engine, opened.touched or ())
                await self._run(generations.advance, self._folder, bank)
                # nobody else may begin before the old shard is gone
                opened.successor = _Bank(better, opened.fresh, improving=opened.improving)
                self._open[bank] = opened.successor
        except BaseException:
            await self._run(better.engine.close)
            raise

    def _path(self, bank: str) -> Path:
        return generations.current(self._folder, bank)

    async def _run(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


@dataclass(slots=True)
class _Use:
    """Holds a bank open for the time of a block."""

    store: EdgeStore
    bank: str
    opened: _Bank | None = None

    async def __aenter__(self) -> _Bank:
        self.opened = await self.store.acquire(self.bank)
        return self.opened

    async def __aexit__(self, *exception: object) -> None:
        assert self.opened is not None
        self.opened.leave()


def _dense(vector: Any) -> Sequence[float] | None:
    return vector[points.DENSE] if isinstance(vector, dict) and points.DENSE in vector else None
