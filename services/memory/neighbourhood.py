"""What lies around entities of a graph bank, read from the database as it is at one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from llamastack.memory.v1.graph_pb2 import GraphEntity, GraphRelation
from mesh.errors import OutOfRange
from mesh.storage import POSTGRESQL, Storage
from services.memory import graph
from services.memory.conditions import Conditions, features
from services.memory.documents import INFO, Info, info_of, revised, unexpired
from services.memory.store import Piece
from services.memory.tables import ENTITIES, PIECES, RELATIONS
from services.memory.telling import digest

MOST_ENTITIES: Final = 10_000
_SOME: Final = 500
"""Values of one statement; databases bound them."""
_DOCUMENTS: Final = 100


@dataclass(frozen=True, slots=True)
class Around:
    """Where to look: from entities by name or from those that a text names, along which relations, how far.

    ``relations`` are the kinds to follow, none for all; ``most`` is the number of pieces that are wanted.
    """

    names: Sequence[str]
    text: str
    hops: int
    relations: frozenset[str]
    out: bool
    back: bool
    conditions: Conditions
    most: int


@dataclass(frozen=True, slots=True)
class Told:
    """A piece of a document, and the hops to the nearest entity that it names."""

    piece: Piece
    info: Info
    hops: int


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Entities by their distance, relations in the order in which they were followed, pieces nearest first."""

    entities: Sequence[GraphEntity]
    relations: Sequence[GraphRelation]
    pieces: Sequence[Told]


class Neighbourhoods:
    """Looks around entities. ``clock`` gives Unix seconds."""

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        """Keep the database."""
        self._storage = storage
        self._clock = clock

    async def look(self, bank: str, around: Around) -> Neighbourhood:
        """Return what lies around.

        Raises:
            OutOfRange: that is more than 10,000 entities.
        """
        async with self._storage.reading() as session:
            if self._storage.kind == POSTGRESQL:
                await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            return await _Walk(session, bank, around, self._clock()).walk()


class _Walk:
    """One look, within one transaction."""

    def __init__(self, session: AsyncSession, bank: str, around: Around, now: float) -> None:
        self._session = session
        self._bank = bank
        self._around = around
        self._now = now
        self._infos: dict[str, Info | None] = {}

    async def walk(self) -> Neighbourhood:
        """Go from the first entities as far as was asked, and gather what tells of all that was met."""
        hops = dict.fromkeys(await self._start(), 0)
        followed: dict[tuple[str, int], GraphRelation] = {}
        frontier = list(hops)
        for distance in range(1, self._around.hops + 1):
            met: dict[str, None] = {}
            for row in await self._touching(frontier):
                info = self._infos[row["revision"]]
                assert info is not None
                followed.setdefault(
                    (row["revision"], row["position"]),
                    GraphRelation(
                        source=row["source"],
                        relation=row["relation"],
                        target=row["target"],
                        document_id=info.document_id,
                    ),
                )
                met |= dict.fromkeys((row["source_hash"], row["target_hash"]))
            frontier = [one for one in met if one not in hops]
            hops |= dict.fromkeys(frontier, distance)
            if len(hops) > MOST_ENTITIES:
                raise OutOfRange(f"the neighbourhood has more than {MOST_ENTITIES} entities; ask for fewer hops")
        entities, telling = await self._entities(hops)
        return Neighbourhood(entities, list(followed.values()), await self._pieces(telling, hops))

    async def _start(self) -> list[str]:
        if self._around.names:
            wanted = list(dict.fromkeys(digest(graph.key(name)) for name in self._around.names))
            rows = await self._rows(ENTITIES, ENTITIES.c.key_hash, wanted)
            there = {row["key_hash"] for row in rows}
            return [one for one in wanted if one in there]
        written = graph.words(self._around.text)
        spans = dict.fromkeys(digest(span) for span in graph.spans(self._around.text))
        rows = await self._rows(ENTITIES, ENTITIES.c.words_hash, list(spans))
        return list(dict.fromkeys(row["key_hash"] for row in rows if graph.names(written, _words(row))))

    async def _touching(self, frontier: Sequence[str]) -> list[RowMapping]:
        """Return the relations that lead on from entities, in the order of their documents and places."""
        rows: dict[tuple[str, int], RowMapping] = {}
        for wanted, column in (
            (self._around.out, RELATIONS.c.source_hash),
            (self._around.back, RELATIONS.c.target_hash),
        ):
            if wanted:
                found = await self._rows(RELATIONS, column, frontier)
                rows |= {(row["revision"], row["position"]): row for row in found}
        kinds = self._around.relations
        return [rows[place] for place in sorted(rows) if not kinds or rows[place]["relation"] in kinds]

    async def _entities(self, hops: Mapping[str, int]) -> tuple[list[GraphEntity], dict[str, dict[str, str]]]:
        """Return the entities as all documents tell of them, and by revision the words of those that each tells of."""
        entities: dict[str, GraphEntity] = {}
        telling: dict[str, dict[str, str]] = {}
        rows = await self._rows(ENTITIES, ENTITIES.c.key_hash, list(hops))
        # where documents differ, the last by id counts
        for row in sorted(rows, key=lambda row: self._document(row["revision"])):
            entity = GraphEntity.FromString(row["entity"])
            graph.merge(entities.setdefault(row["key_hash"], GraphEntity(name=entity.name)), entity)
            telling.setdefault(row["revision"], {})[row["key_hash"]] = graph.words(entity.name)
        order = sorted(entities, key=lambda one: (hops[one], graph.key(entities[one].name)))
        return [entities[one] for one in order], telling

    async def _pieces(self, telling: Mapping[str, Mapping[str, str]], hops: Mapping[str, int]) -> list[Told]:
        """Return the pieces that name what was met, nearest first; all of a document that names nothing of it."""
        nearest = {revision: min(hops[one] for one in known) for revision, known in telling.items()}
        order = sorted(nearest, key=lambda revision: (nearest[revision], self._document(revision)))
        found: list[Told] = []
        for batch in _batches(order, _DOCUMENTS):
            if sum(one.hops <= nearest[batch[0]] for one in found) >= self._around.most:
                break
            query = select(PIECES).where(PIECES.c.revision.in_(batch)).order_by(PIECES.c.revision, PIECES.c.position)
            pieces: dict[str, list[Piece]] = {revision: [] for revision in batch}
            for row in (await self._session.execute(query)).mappings():
                pieces[row["revision"]].append(_piece(row))
            for revision in batch:
                found += self._told(revision, pieces[revision], telling[revision], hops)
        return sorted(found, key=lambda one: (one.hops, one.info.document_id, one.piece.index))

    def _told(
        self, revision: str, pieces: Sequence[Piece], known: Mapping[str, str], hops: Mapping[str, int]
    ) -> Iterator[Told]:
        info = self._infos[revision]
        assert info is not None
        named = []
        for piece in pieces:
            written = graph.words(piece.text)
            named.append([hops[one] for one, name_words in known.items() if graph.names(written, name_words)])
        nothing = [min(hops[one] for one in known)] if not any(named) else []
        for piece, distances in zip(pieces, named, strict=True):
            if distances or nothing:
                yield Told(piece, info, min(distances or nothing))

    def _document(self, revision: str) -> str:
        info = self._infos[revision]
        return info.document_id if info is not None else ""

    async def _rows(self, table: Any, column: Any, values: Sequence[str]) -> list[RowMapping]:
        """Return the rows of documents that are in force and chosen by the conditions."""
        rows: list[RowMapping] = []
        for some in _batches(values, _SOME):
            query = select(table).where(table.c.bank == self._bank, column.in_(some))
            rows += (await self._session.execute(query)).mappings().all()
        await self._read({row["revision"] for row in rows})
        return [row for row in rows if self._infos[row["revision"]] is not None]

    async def _read(self, revisions: Iterable[str]) -> None:
        """Read the documents of revisions; None for one that is over or not chosen."""
        unread = [revision for revision in revisions if revision not in self._infos]
        self._infos |= dict.fromkeys(unread)
        for some in _batches(unread, _SOME):
            query = select(*INFO).where(revised(self._bank, some), unexpired(self._now))
            for info in map(info_of, (await self._session.execute(query)).mappings()):
                if self._around.conditions.hold(features(info.metadata)):
                    self._infos[info.revision] = info


def _words(row: RowMapping) -> str:
    return graph.words(GraphEntity.FromString(row["entity"]).name)


def _piece(row: RowMapping) -> Piece:
    return Piece(
        index=row["position"],
        text=row["text"],
        start=row["start"],
        end=row["end"],
        tokens=row["tokens"],
        page=row["page"],
        section=row["section"],
    )


def _batches(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
