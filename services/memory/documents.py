"""The documents of banks in the database: the place that decides which revision of a document counts.

A document is written in three steps: its revision is noted as left over, its chunks go into the vector store, and one
transaction makes the revision the document's own and notes the one before as left over. Whoever dies in between leaves
nothing that counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, RowMapping, and_, delete, func, literal, or_, select
from sqlalchemy.exc import IntegrityError

from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from llamastack.memory.v1.document_pb2 import DocumentContent, MemoryBankDocument
from mesh.errors import MeshError, ResourceBusy, ResourceExists, ResourceNotFound
from mesh.storage import Storage
from services.memory.graph import Told
from services.memory.remembered import Remembered
from services.memory.tables import BANKS, DOCUMENTS, LEFTOVERS
from services.memory.telling import tell

KIND: Final = "document"
_TRIES: Final = 3
_PAGE: Final = 200
"""Documents that are read at once to be remembered, so that queries don't wait for long."""
_REST: Final = 4
"""Time that is left to queries after each page, in times of what it took."""
_Made = TypeVar("_Made")
INFO: Final = tuple(column for column in DOCUMENTS.columns if column.name not in {"content", "text", "graph"})
_JUDGED: Final = (DOCUMENTS.c.document_id, DOCUMENTS.c.revision, DOCUMENTS.c.digest, DOCUMENTS.c.expires_at)


class Rule(Enum):
    """What a write may do: make new documents only, make or replace them, or replace existing ones only."""

    INSERT = "insert"
    REPLACE = "replace"
    UPDATE = "update"


class BankGone(Exception):
    """The bank of a write was dropped meanwhile."""


class Outcome(Enum):
    """What a write did."""

    INSERTED = "inserted"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Info:
    """A document without its content; ``source`` is the URL that it was fetched from."""

    document_id: str
    revision: str
    digest: str
    mime_type: str
    source: str | None
    metadata: Mapping[str, JsonValue]
    content_hash: str
    content_bytes: int
    chunk_count: int


@dataclass(frozen=True, slots=True)
class Whole:
    """A document with its content as it is handed back, and its text where the database keeps that.

    In a graph bank also the entities and relations that it ``brought``, and what it tells, which is written but not
    read with it.
    """

    info: Info
    content: DocumentContent
    text: str | None
    expires_at: float | None = None
    brought: MemoryBankDocument | None = None
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A document in force, until a time if there is one."""

    info: Info
    expires_at: float | None


class Documents:
    """Reads and writes documents by their bank's uid.

    Args:
        storage: the database.
        clock: gives Unix seconds.
        remembered: how many documents are remembered by their revisions; more than 0 only where no other process
            writes the database.
    """

    def __init__(self, storage: Storage, clock: Callable[[], float], remembered: int = 0) -> None:
        self._storage = storage
        self._clock = clock
        self._standing = Remembered[str, Standing](remembered)
        self._warmed: set[str] = set()
        self._tasks: set[asyncio.Future[Any]] = set()
        self._closing = False

    async def known(self, bank: str, ids: Sequence[str]) -> dict[str, Info]:
        """Return the documents of these ids that are there."""
        return {info.document_id: info for info in await self._infos(bank, DOCUMENTS.c.document_id.in_(ids))}

    async def by_revision(self, bank: str, revisions: Iterable[str]) -> dict[str, Info]:
        """Return the documents whose revision in force is one of these; all as they were at one moment."""
        wanted = list(revisions)
        # all of them from the memory or all from the database: never from two moments
        remembered = [(revision, self._standing.get(revision)) for revision in wanted]
        if all(standing is not None for _, standing in remembered):
            now = self._clock()
            return {
                revision: standing.info
                for revision, standing in remembered
                if standing is not None and (standing.expires_at is None or standing.expires_at > now)
            }
        self._warm(bank)
        since = self._standing.begin()
        found = await self._standings(revised(bank, wanted), unexpired(self._clock()))
        self._standing.keep(found, since)
        return {revision: standing.info for revision, standing in found.items()}

    async def whole(self, bank: str, ids: Sequence[str]) -> dict[str, Whole]:
        """Return the documents of these ids that are there, with their contents."""
        query = select(DOCUMENTS).where(DOCUMENTS.c.document_id.in_(ids), *self._alive(bank))
        rows = await self._storage.read(lambda connection: connection.execute(query).mappings().all())
        return {
            row["document_id"]: Whole(
                info_of(row),
                DocumentContent.FromString(row["content"]),
                row["text"],
                brought=MemoryBankDocument.FromString(row["graph"]) if row["graph"] else None,
            )
            for row in rows
        }

    async def sizes(self, bank: str, ids: Sequence[str]) -> dict[str, int]:
        """Return the bytes that each of the documents of these ids takes when it is handed out."""
        columns = (DOCUMENTS.c.content, DOCUMENTS.c.metadata, DOCUMENTS.c.graph)
        size = sum((func.coalesce(func.length(column), 0) for column in columns), start=literal(0))
        query = select(DOCUMENTS.c.document_id, size.label("size"))
        query = query.where(DOCUMENTS.c.document_id.in_(ids), *self._alive(bank))
        rows = await self._storage.read(lambda connection: connection.execute(query).all())
        return {row.document_id: int(row.size) for row in rows}

    async def page(self, bank: str, after: str, size: int) -> Sequence[Info]:
        """Return up to ``size`` documents by id, after one."""
        return await self._infos(bank, DOCUMENTS.c.document_id > after, limit=size)

    async def begin(self, bank: str, revisions: Sequence[str]) -> None:
        """Note revisions that are about to be written into the vector store."""
        now = self._clock()
        rows = [{"bank": bank, "revision": revision, "since": now} for revision in revisions]
        await self._storage.write(lambda connection: connection.execute(LEFTOVERS.insert(), rows))

    async def commit(
        self, bank: str, writes: Sequence[Whole], rule: Rule
    ) -> tuple[list[Outcome | MeshError], list[str]]:
        """Put revisions in force that are in the vector store; return what became of each, and what is left over.

        Raises:
            BankGone: the bank was dropped meanwhile.
            ResourceBusy: others keep writing the same documents.
        """
        return await self._to_the_end(self._committed(bank, writes, rule))

    async def delete(self, bank: str, ids: Sequence[str]) -> dict[str, str]:
        """Delete documents and return those that were there with their revisions, which are left over then."""
        return await self._to_the_end(self._deleted(bank, ids))

    async def _committed(
        self, bank: str, writes: Sequence[Whole], rule: Rule
    ) -> tuple[list[Outcome | MeshError], list[str]]:
        for _ in range(_TRIES):
            try:
                async with self._standing.changing() as change:
                    outcomes, left = await self._storage.write(
                        lambda connection: self._commit(connection, bank, writes, rule)
                    )
                    change.gone += left
                    for write, outcome in zip(writes, outcomes, strict=True):
                        if outcome in {Outcome.INSERTED, Outcome.UPDATED}:
                            change.come[write.info.revision] = Standing(write.info, write.expires_at)
                    return outcomes, left
            except IntegrityError:
                # another replica made one of the documents between the look and the write: look again
                continue
        raise ResourceBusy("the documents are being written by others")

    async def _deleted(self, bank: str, ids: Sequence[str]) -> dict[str, str]:
        query = select(DOCUMENTS.c.document_id, DOCUMENTS.c.revision).where(
            DOCUMENTS.c.document_id.in_(ids), *self._alive(bank)
        )

        def removed(connection: Connection) -> dict[str, str]:
            rows = connection.execute(query.with_for_update()).all()
            found = {row.document_id: row.revision for row in rows}
            self._remove(connection, [(bank, revision) for revision in found.values()])
            return found

        async with self._standing.changing() as change:
            found = await self._storage.write(removed)
            change.gone += found.values()
        return found

    async def has_bank(self, bank: str) -> bool:
        """Return whether the bank is still there."""
        query = select(BANKS.c.uid).where(BANKS.c.uid == bank)
        return await self._storage.read(lambda connection: connection.execute(query).first() is not None)

    async def expire(self) -> None:
        """Delete the documents whose time is over; their revisions are left over then."""
        over = select(DOCUMENTS.c.bank, DOCUMENTS.c.revision).where(DOCUMENTS.c.expires_at <= self._clock()).limit(1000)

        def removed(connection: Connection) -> None:
            rows = connection.execute(over).all()
            # nobody is at work on them, so they may be cleared away at once
            self._remove(connection, [(row.bank, row.revision) for row in rows], since=0.0)

        await self._storage.write(removed)

    async def leftovers(self, before: float) -> Sequence[tuple[str, str]]:
        """Return (bank, revision) of what has been left over since before a time, some thousands at most."""
        query = select(LEFTOVERS.c.bank, LEFTOVERS.c.revision).where(LEFTOVERS.c.since <= before).limit(4096)
        rows = await self._storage.read(lambda connection: connection.execute(query).all())
        return [(row.bank, row.revision) for row in rows]

    async def cleared(self, bank: str, revisions: Sequence[str]) -> None:
        """Note that the vector store does not hold these any more."""
        if revisions:
            gone = delete(LEFTOVERS).where(LEFTOVERS.c.bank == bank, LEFTOVERS.c.revision.in_(revisions))
            await self._storage.write(lambda connection: connection.execute(gone))

    def _commit(
        self, connection: Connection, bank: str, writes: Sequence[Whole], rule: Rule
    ) -> tuple[list[Outcome | MeshError], list[str]]:
        # the bank must not be dropped before the transaction ends
        there = connection.execute(select(BANKS.c.bank_id).where(BANKS.c.uid == bank).with_for_update(read=True))
        if there.first() is None:
            raise BankGone
        ids = [write.info.document_id for write in writes]
        query = select(*_JUDGED).where(DOCUMENTS.c.bank == bank, DOCUMENTS.c.document_id.in_(ids)).with_for_update()
        rows = {row["document_id"]: row for row in connection.execute(query).mappings()}
        outcomes: list[Outcome | MeshError] = []
        left: list[str] = []
        made: list[Whole] = []
        replaced: list[tuple[str, str]] = []
        for write in writes:
            row = rows.get(write.info.document_id)
            outcome = self._judge(write, row, rule)
            outcomes.append(outcome)
            if outcome not in {Outcome.INSERTED, Outcome.UPDATED}:
                left.append(write.info.revision)
                continue
            made.append(write)
            if row is not None:
                left.append(row["revision"])
                replaced.append((bank, row["revision"]))
        self._remove(connection, replaced)
        if made:
            connection.execute(DOCUMENTS.insert(), [{"bank": bank, **_row(write)} for write in made])
            revisions = [write.info.revision for write in made]
            connection.execute(delete(LEFTOVERS).where(LEFTOVERS.c.bank == bank, LEFTOVERS.c.revision.in_(revisions)))
        for write in made:
            if write.told is not None:
                tell(connection, bank, write.info.revision, write.told)
        return outcomes, left

    def _judge(self, write: Whole, row: RowMapping | None, rule: Rule) -> Outcome | MeshError:
        """Return what a write comes to, given what is there now."""
        if row is not None and row["expires_at"] is not None and row["expires_at"] <= self._clock():
            return Outcome.INSERTED if rule is not Rule.UPDATE else ResourceNotFound(KIND, write.info.document_id)
        return judge(write.info.document_id, write.info.digest, None if row is None else row["digest"], rule)

    def _remove(self, connection: Connection, removed: Sequence[tuple[str, str]], since: float | None = None) -> None:
        """Delete rows by bank and revision, and note the revisions as left over since then, or now."""
        if removed:
            now = self._clock() if since is None else since
            # a revision has one bank
            connection.execute(delete(DOCUMENTS).where(DOCUMENTS.c.revision.in_([revision for _, revision in removed])))
            connection.execute(
                LEFTOVERS.insert(), [{"bank": bank, "revision": revision, "since": now} for bank, revision in removed]
            )

    async def _infos(self, bank: str, chosen: Any, *, limit: int | None = None) -> list[Info]:
        query = select(*INFO).where(chosen, *self._alive(bank)).order_by(DOCUMENTS.c.document_id).limit(limit)
        return await self._storage.read(lambda connection: list(map(info_of, connection.execute(query).mappings())))

    async def _standings(self, *chosen: Any, limit: int | None = None) -> dict[str, Standing]:
        query = select(*INFO).where(*chosen).order_by(DOCUMENTS.c.document_id).limit(limit)

        def read(connection: Connection) -> dict[str, Standing]:
            rows = connection.execute(query).mappings()
            return {row["revision"]: Standing(info_of(row), row["expires_at"]) for row in rows}

        return await self._storage.read(read)

    async def _to_the_end(self, work: Coroutine[Any, Any, _Made]) -> _Made:
        """Finish a change of the database even if nobody waits for it any more, so that it is known here."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    def _warm(self, bank: str) -> None:
        """Begin to remember a bank of which something was asked for the first time."""
        if self._standing.most and bank not in self._warmed:
            self._warmed.add(bank)
            task = asyncio.ensure_future(self._remember(bank))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _remember(self, bank: str) -> None:
        after, left = "", self._standing.most
        loop = asyncio.get_running_loop()
        while left > 0 and not self._closing:
            began, since = loop.time(), self._standing.begin()
            try:
                found = await self._standings(DOCUMENTS.c.document_id > after, *self._alive(bank), limit=_PAGE)
            except MeshError:
                # the database is busy or away: queries ask it for themselves
                return
            self._standing.keep(found, since)
            if len(found) < _PAGE:
                return
            after = max(standing.info.document_id for standing in found.values())
            left -= _PAGE
            await asyncio.sleep(_REST * (loop.time() - began))

    async def close(self) -> None:
        """Wait until nothing is under way any more."""
        self._closing = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _alive(self, bank: str) -> tuple[Any, Any]:
        return DOCUMENTS.c.bank == bank, unexpired(self._clock())


def unexpired(now: float) -> Any:
    """Return the condition that a document's time is not over; ``now`` in Unix seconds."""
    expires = DOCUMENTS.c.expires_at
    return or_(expires.is_(None), expires > now)


def revised(bank: str, revisions: Sequence[str]) -> Any:
    """Return the condition that a document of the bank has one of these revisions.

    The bank is compared as an expression, because of two indexes SQLite takes the one of the bank, all of which it
    then reads.
    """
    return and_(DOCUMENTS.c.revision.in_(revisions), DOCUMENTS.c.bank.concat("") == bank)


def judge(document_id: str, digest: str, known: str | None, rule: Rule) -> Outcome | MeshError:
    """Return what writing a document comes to, given the digest of the one that is there, None for none."""
    if known is None:
        return ResourceNotFound(KIND, document_id) if rule is Rule.UPDATE else Outcome.INSERTED
    if known == digest:
        return Outcome.UNCHANGED
    return ResourceExists(KIND, document_id) if rule is Rule.INSERT else Outcome.UPDATED


def info_of(row: RowMapping) -> Info:
    return Info(
        document_id=row["document_id"],
        revision=row["revision"],
        digest=row["digest"],
        mime_type=row["mime_type"],
        source=row["source"],
        metadata=JsonObject.FromString(row["metadata"]).fields,
        content_hash=row["content_hash"],
        content_bytes=row["content_bytes"],
        chunk_count=row["chunk_count"],
    )


def _row(write: Whole) -> dict[str, Any]:
    info = write.info
    return {
        "document_id": info.document_id,
        "revision": info.revision,
        "digest": info.digest,
        "mime_type": info.mime_type,
        "source": info.source,
        "metadata": JsonObject(fields=info.metadata).SerializeToString(deterministic=True),
        "content": write.content.SerializeToString(),
        "content_hash": info.content_hash,
        "content_bytes": info.content_bytes,
        "text": write.text,
        "graph": write.brought.SerializeToString(deterministic=True) if write.brought is not None else None,
        "chunk_count": info.chunk_count,
        "expires_at": write.expires_at,
    }
