"""The embedded store: Qdrant's engine in this process, one folder per bank, owned by one process at a time.

Updates are in the write-ahead log when they return, so that they outlive the process. Payload indexes are made before
anything is written, because an index that comes after ``optimize`` costs recall under filters. ``optimize`` runs in the
background; searches and updates go on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from qdrant_edge import (
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeSparseVectorParams,
    EdgeVectorParams,
    FieldCondition,
    Filter,
    Language,
    MatchAny,
    PayloadSchemaType,
    Point,
    Query,
    QueryRequest,
    RangeFloat,
    SearchParams,
    SnowballLanguage,
    SnowballParams,
    TextIndexParams,
    TextQuery,
    TokenizerType,
    UpdateOperation,
)

from mesh.errors import BackendUnavailable, DataLoss, ResourceBusy
from services.memory import points
from services.memory.conditions import Condition, FactIn
from services.memory.store import Hit, Search, Shape, StoredChunk

log = logging.getLogger(__name__)

THREADS: Final = 4
NUMBER_INDEXES: Final = 64
"""Metadata members of a bank whose numbers are indexed; those of others are compared one by one."""
_Result = TypeVar("_Result")


@dataclass(slots=True)
class _Bank:
    """An open bank: its shard, the fields that are indexed, users at this moment, chunks since the last optimize."""

    shard: EdgeShard
    indexed: set[str]
    users: int = 0
    fresh: int = 0
    optimizing: asyncio.Future[bool] | None = None
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


class EdgeStore:
    """A :class:`~services.memory.store.Store` in a folder.

    Args:
        folder: where the banks are; made if it is not there.
        max_open: banks that are kept open; more are open only while they are used.
        optimize_after: new chunks in a bank after which its index is improved.
    """

    def __init__(self, folder: Path, *, max_open: int = 64, optimize_after: int = 10000) -> None:
        self._folder = folder
        self._max_open = max_open
        self._optimize_after = optimize_after
        self._open: OrderedDict[str, _Bank] = OrderedDict()
        self._opening = asyncio.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="edge")
        self._optimizer = ThreadPoolExecutor(1, thread_name_prefix="optimize")

    async def create(self, bank: str, shape: Shape) -> None:
        """Make the bank's folder and its indexes."""
        async with self._opening:
            if bank in self._open or self._path(bank).exists():
                return
            self._open[bank] = await self._run(_create, self._path(bank), shape)
            await self._close_idle()

    async def drop(self, bank: str) -> None:
        """Close the bank and delete its folder."""
        async with self._opening:
            opened = self._open.pop(bank, None)
            if opened is not None:
                await self._close(opened)
            await self._run(_delete, self._path(bank))

    async def write(self, bank: str, chunks: Sequence[StoredChunk]) -> None:
        """Store chunks, in operations of some hundred."""
        if not chunks:
            return
        async with _Use(self, bank) as opened:
            async with opened.writing:
                await self._run(_write, opened, chunks)
            opened.fresh += len(chunks)
            if opened.fresh >= self._optimize_after and opened.optimizing is None:
                self._optimize(bank, opened)

    async def forget(self, bank: str, revisions: Sequence[str]) -> None:
        """Delete by the indexed revision."""
        if not revisions or not (bank in self._open or self._path(bank).exists()):
            return
        chosen = Filter(must=[_any_of(points.REVISION, revisions)])
        async with _Use(self, bank) as opened:
            await self._run(opened.shard.update, UpdateOperation.delete_points_by_filter(chosen))

    async def nearest(self, bank: str, vector: Sequence[float], search: Search) -> list[Hit]:
        """Search the dense vectors, by HNSW where it is built."""
        query = Query.Nearest(list(vector), using=points.DENSE)
        return await self._search(bank, query, search)

    async def matching(self, bank: str, text: str, search: Search) -> list[Hit]:
        """Search the index of the words; a bank from before there was one gets it now."""
        async with _Use(self, bank) as opened:
            if points.TEXT not in opened.indexed:
                async with opened.writing:
                    await self._run(_index_words, opened)
        return await self._search(bank, TextQuery(points.TEXT, text), search)

    async def check(self) -> None:
        """Return if the folder can be used."""
        try:
            await self._run(lambda: self._folder.mkdir(parents=True, exist_ok=True))
        except OSError as error:
            raise BackendUnavailable("the folder of the embedded store can't be used") from error

    async def close(self) -> None:
        """Write everything out and close every bank."""
        async with self._opening:
            while self._open:
                _, opened = self._open.popitem()
                await self._close(opened)
        self._threads.shutdown()
        self._optimizer.shutdown()

    async def _search(self, bank: str, query: Query | TextQuery, search: Search) -> list[Hit]:
        request = QueryRequest(
            limit=search.limit,
            query=query,
            filter=_filter(search),
            params=SearchParams(exact=search.exact),
            with_payload=True,
            with_vector=[points.DENSE] if search.with_vectors else False,
        )
        async with _Use(self, bank) as opened:
            found = await self._run(opened.shard.query, request)
        return [points.hit(one.payload or {}, one.score, _dense(one.vector)) for one in found]

    async def acquire(self, bank: str) -> _Bank:
        """Return a bank, opened if need be, that stays open until it is released."""
        opened = self._open.get(bank)
        if opened is None:
            async with self._opening:
                opened = self._open.get(bank)
                if opened is None:
                    opened = self._open[bank] = await self._run(_load, self._path(bank))
                    opened.enter()
                    await self._close_idle()
                    return opened
        self._open.move_to_end(bank)
        opened.enter()
        return opened

    async def _close_idle(self) -> None:
        """Close the banks that were not used for the longest time, as long as there are too many."""
        idle = [bank for bank, opened in self._open.items() if not opened.users and opened.optimizing is None]
        for bank in idle[: max(0, len(self._open) - self._max_open)]:
            await self._close(self._open.pop(bank))

    async def _close(self, opened: _Bank) -> None:
        """Close a bank that is not to be found any more, when its last user has left."""
        await opened.unused.wait()
        if opened.optimizing is not None:
            await asyncio.wait([opened.optimizing])
        await self._run(opened.shard.close)

    def _optimize(self, bank: str, opened: _Bank) -> None:
        """Improve the index in the background."""
        opened.fresh = 0
        loop = asyncio.get_running_loop()
        opened.optimizing = loop.run_in_executor(self._optimizer, opened.shard.optimize)

        def ended(work: asyncio.Future[bool]) -> None:
            opened.optimizing = None
            if not work.cancelled() and (error := work.exception()) is not None:
                log.error("the index of bank %s could not be improved: %s", bank, error)

        opened.optimizing.add_done_callback(ended)

    def _path(self, bank: str) -> Path:
        return self._folder / bank

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


def _create(path: Path, shape: Shape) -> _Bank:
    """Make a bank beside its place and move it there whole, so that a half one is never found."""
    making = path.with_name(f"{path.name}.new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    config = EdgeConfig(
        vectors={points.DENSE: EdgeVectorParams(size=shape.dimension, distance=Distance.Cosine)}
        if shape.dimension
        else None,
        # the engine wants a vector of some kind; this one stays empty
        sparse_vectors=None if shape.dimension else {"none": EdgeSparseVectorParams()},
        # a thread per CPU would be too many where many banks are open
        max_search_threads=2,
    )
    shard = EdgeShard.create(str(making), config)
    for name in (points.REVISION, points.FACTS):
        shard.update(UpdateOperation.create_field_index(name, PayloadSchemaType.Keyword))
    if shape.words:
        shard.update(UpdateOperation.create_field_index(points.TEXT, _words()))
    shard.flush()
    shard.close()
    making.rename(path)
    return _load(path)


def _index_words(opened: _Bank) -> None:
    if points.TEXT not in opened.indexed:
        opened.shard.update(UpdateOperation.create_field_index(points.TEXT, _words()))
        opened.indexed.add(points.TEXT)


def _words() -> TextIndexParams:
    return TextIndexParams(
        tokenizer=TokenizerType.Word,
        lowercase=True,
        ascii_folding=True,
        stopwords=Language.English,
        stemmer=SnowballParams(SnowballLanguage.English),
        scoring=True,
    )


def _load(path: Path) -> _Bank:
    if not path.exists():
        raise DataLoss("the chunks of this memory bank are not in the store")
    try:
        shard = EdgeShard.load(str(path))
    except Exception as error:
        # the engine raises nothing more specific
        if "WouldBlock" in str(error):
            raise ResourceBusy("the memory bank is open in another process") from error
        log.error("bank %s can't be opened: %s", path.name, error)
        raise DataLoss("the chunks of this memory bank can't be read") from error
    return _Bank(shard, set(shard.info().payload_schema))


def _delete(path: Path) -> None:
    """Delete a bank's folder under another name, so that a half one is never found; and what was left of one."""
    gone = path.with_name(f"{path.name}.gone")
    for rest in (gone, path.with_name(f"{path.name}.new")):
        shutil.rmtree(rest, ignore_errors=True)
    if path.exists():
        path.rename(gone)
        shutil.rmtree(gone)


def _write(opened: _Bank, chunks: Sequence[StoredChunk]) -> None:
    for name in sorted({name for chunk in chunks for name in chunk.features.numbers} - opened.indexed):
        if len(opened.indexed) < NUMBER_INDEXES:
            opened.shard.update(UpdateOperation.create_field_index(name, PayloadSchemaType.Float))
            opened.indexed.add(name)
    for start in range(0, len(chunks), points.BATCH):
        batch = [_point(chunk) for chunk in chunks[start : start + points.BATCH]]
        opened.shard.update(UpdateOperation.upsert_points(batch))


def _point(chunk: StoredChunk) -> Point:
    vectors: dict[str, Any] = {}
    if chunk.vector is not None:
        vectors[points.DENSE] = list(chunk.vector)
    return Point(points.point_id(chunk), vectors, points.payload(chunk))


def _filter(search: Search) -> Filter | None:
    asked = search.conditions
    must = [_condition(one) for one in asked.all]
    if asked.any:
        must.append(Filter(should=[_condition(one) for one in asked.any]))
    must_not = [_condition(one) for one in asked.none]
    if search.without:
        must_not.append(Filter(must=[_any_of(points.REVISION, search.without)]))
    return Filter(must=list(must), must_not=list(must_not)) if must or must_not else None


def _condition(condition: Condition) -> Filter:
    atom = condition.atom
    asked = (
        _any_of(points.FACTS, atom.facts)
        if isinstance(atom, FactIn)
        else FieldCondition(atom.field, range=RangeFloat(gt=atom.gt, gte=atom.gte, lt=atom.lt, lte=atom.lte))
    )
    return Filter(must_not=[asked]) if condition.negated else Filter(must=[asked])


def _any_of(name: str, values: Sequence[str]) -> FieldCondition:
    return FieldCondition(name, match=MatchAny(list(values)))


def _dense(vector: Any) -> Sequence[float] | None:
    return vector[points.DENSE] if isinstance(vector, dict) and points.DENSE in vector else None
