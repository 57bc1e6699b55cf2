"""A Qdrant server or cluster as the store: one collection per bank."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from mesh.errors import BackendUnavailable, DataLoss
from services.memory import points
from services.memory.conditions import Condition, FactIn
from services.memory.store import Hit, Search, Shape, StoredChunk

PREFIX: Final = "altiplano-"
NUMBER_INDEXES: Final = 64
"""Metadata members of a bank whose numbers are indexed; those of others are compared one by one."""
_WORDS: Final = models.TextIndexParams(
    type=models.TextIndexType.TEXT,
    tokenizer=models.TokenizerType.WORD,
    lowercase=True,
    ascii_folding=True,
    stopwords=models.Language.ENGLISH,
    stemmer=models.SnowballParams(type=models.Snowball.SNOWBALL, language=models.SnowballLanguage.ENGLISH),
    scoring=True,
)
_MISSING: Final = "the chunks of this memory bank are not in the store"


@dataclass(frozen=True, slots=True)
class Layout:
    """How collections are spread over a cluster; None for the server's defaults."""

    shards: int | None = None
    replication: int | None = None


class QdrantStore:
    """A :class:`~services.memory.store.Store` on a server."""

    def __init__(self, client: AsyncQdrantClient, layout: Layout | None = None) -> None:
        """Keep the client, which is closed by :meth:`close`."""
        self._client = client
        self._layout = layout or Layout()
        self._indexed: dict[str, set[str]] = {}
        self._with_words: set[str] = set()

    async def create(self, bank: str, shape: Shape) -> None:
        """Make the bank's collection and its indexes."""
        name = _collection(bank)
        async with _reaching():
            if not await self._client.collection_exists(name):
                dense = (
                    models.VectorParams(size=shape.dimension, distance=models.Distance.COSINE)
                    if shape.dimension
                    else None
                )
                await self._client.create_collection(
                    name,
                    vectors_config={points.DENSE: dense} if dense else {},
                    shard_number=self._layout.shards,
                    replication_factor=self._layout.replication,
                    # a write is answered when every copy has it
                    write_consistency_factor=self._layout.replication,
                )
            for index in (points.REVISION, points.FACTS):
                await self._client.create_payload_index(name, index, models.PayloadSchemaType.KEYWORD)
            if shape.words:
                await self._index_words(bank)

    async def drop(self, bank: str) -> None:
        """Delete the bank's collection."""
        self._indexed.pop(bank, None)
        self._with_words.discard(bank)
        if await self._exists(bank):
            async with _reaching():
                await self._client.delete_collection(_collection(bank))

    async def write(self, bank: str, chunks: Sequence[StoredChunk]) -> None:
        """Store chunks and wait until they are applied."""
        async with _reaching():
            await self._index(bank, chunks)
            for start in range(0, len(chunks), points.BATCH):
                batch = [_point(chunk) for chunk in chunks[start : start + points.BATCH]]
                await self._client.upsert(_collection(bank), batch, wait=True)

    async def forget(self, bank: str, revisions: Sequence[str]) -> None:
        """Delete by the indexed revision."""
        if revisions and await self._exists(bank):
            chosen = models.FilterSelector(filter=models.Filter(must=[_any_of(points.REVISION, revisions)]))
            async with _reaching():
                await self._client.delete(_collection(bank), chosen, wait=True)

    async def nearest(self, bank: str, vector: Sequence[float], search: Search) -> list[Hit]:
        """Search the dense vectors."""
        return await self._search(bank, list(vector), points.DENSE, search)

    async def matching(self, bank: str, text: str, search: Search) -> list[Hit]:
        """Search the index of the words; a bank from before there was one gets it now."""
        if bank not in self._with_words:
            async with _reaching():
                known = await self._client.get_collection(_collection(bank))
                if points.TEXT not in known.payload_schema:
                    await self._index_words(bank)
                self._with_words.add(bank)
        return await self._search(bank, models.TextQuery(text=text), points.TEXT, search)

    async def check(self) -> None:
        """Ask the server for its collections."""
        async with _reaching():
            await self._client.get_collections()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _exists(self, bank: str) -> bool:
        async with _reaching():
            return await self._client.collection_exists(_collection(bank))

    async def _search(self, bank: str, query: list[float] | models.TextQuery, using: str, search: Search) -> list[Hit]:
        async with _reaching():
            found = await self._client.query_points(
                _collection(bank),
                query=query,
                using=using,
                query_filter=_filter(search),
                limit=search.limit,
                search_params=models.SearchParams(exact=search.exact),
                with_payload=True,
                with_vectors=[points.DENSE] if search.with_vectors else False,
            )
        return [points.hit(one.payload or {}, one.score, _dense(one.vector)) for one in found.points]

    async def _index_words(self, bank: str) -> None:
        await self._client.create_payload_index(_collection(bank), points.TEXT, _WORDS)
        self._with_words.add(bank)

    async def _index(self, bank: str, chunks: Sequence[StoredChunk]) -> None:
        """Index the numbers of metadata members that come for the first time."""
        wanted = {name for chunk in chunks for name in chunk.features.numbers}
        if not wanted:
            return
        if bank not in self._indexed:
            known = await self._client.get_collection(_collection(bank))
            self._indexed[bank] = set(known.payload_schema)
        indexed = self._indexed[bank]
        for name in sorted(wanted - indexed):
            if len(indexed) < NUMBER_INDEXES:
                await self._client.create_payload_index(_collection(bank), name, models.PayloadSchemaType.FLOAT)
                indexed.add(name)


@asynccontextmanager
async def _reaching() -> AsyncIterator[None]:
    """Turn what the client raises into errors of the mesh."""
    try:
        yield
    except UnexpectedResponse as error:
        if error.status_code == 404:
            raise DataLoss(_MISSING) from error
        raise BackendUnavailable(f"the vector store answered with status {error.status_code}") from error
    except (ResponseHandlingException, ApiException, OSError) as error:
        raise BackendUnavailable("the vector store can't be reached") from error


def _collection(bank: str) -> str:
    return f"{PREFIX}{bank}"


def _point(chunk: StoredChunk) -> models.PointStruct:
    vectors: dict[str, Any] = {}
    if chunk.vector is not None:
        vectors[points.DENSE] = list(chunk.vector)
    return models.PointStruct(id=points.point_id(chunk), vector=vectors, payload=points.payload(chunk))


def _filter(search: Search) -> models.Filter | None:
    asked = search.conditions
    must: list[models.Condition] = [_condition(one) for one in asked.all]
    if asked.any:
        must.append(models.Filter(should=[_condition(one) for one in asked.any]))
    must_not: list[models.Condition] = [_condition(one) for one in asked.none]
    if search.without:
        must_not.append(_any_of(points.REVISION, search.without))
    return models.Filter(must=must, must_not=must_not) if must or must_not else None


def _condition(condition: Condition) -> models.Filter:
    atom = condition.atom
    asked = (
        _any_of(points.FACTS, atom.facts)
        if isinstance(atom, FactIn)
        else models.FieldCondition(
            key=atom.field, range=models.Range(gt=atom.gt, gte=atom.gte, lt=atom.lt, lte=atom.lte)
        )
    )
    return models.Filter(must_not=[asked]) if condition.negated else models.Filter(must=[asked])


def _any_of(name: str, values: Sequence[str]) -> models.FieldCondition:
    return models.FieldCondition(key=name, match=models.MatchAny(any=list(values)))


def _dense(vector: Any) -> Sequence[float] | None:
    return vector[points.DENSE] if isinstance(vector, dict) and points.DENSE in vector else None
