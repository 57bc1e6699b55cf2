"""Putting documents into a bank, one by one in what becomes of them, together in how they are embedded and written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final

from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from llamastack.memory.v1.document_pb2 import DocumentContent, MemoryBankDocument
from llamastack.memory.v1.graph_pb2 import GraphEntity, GraphRelation
from mesh import json_text
from mesh.errors import InvalidField, MeshError, ResourceNotFound, WrongState
from mesh.ids import new_id
from services.memory import chunking, graph, media
from services.memory.bank import GRAPH, KEYVALUE, Bank
from services.memory.banks import KIND as BANK
from services.memory.conditions import features
from services.memory.documents import BankGone, Documents, Info, Outcome, Rule, Whole, judge
from services.memory.extraction import Extraction
from services.memory.inference import Inference
from services.memory.readers.reader import Reader
from services.memory.sources import Fetched, Sources
from services.memory.store import Piece, Store, StoredChunk

LINGER_S: Final = 0.05
"""Seconds that documents wait for others to be embedded with."""
GROUP_CHUNKS: Final = 256
GROUP_DOCUMENTS: Final = 64


@dataclass(frozen=True, slots=True)
class Terms:
    """What a write may do, and when the documents are to go (Unix seconds; None for never)."""

    rule: Rule
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What became of the document at a position of the request."""

    index: int
    document_id: str
    outcome: Outcome | MeshError
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class Tools:
    """What documents pass through on their way into a bank."""

    sources: Sources
    reader: Reader
    inference: Inference
    store: Store
    documents: Documents
    extraction: Extraction


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A document that is read and cut."""

    index: int
    whole: Whole
    pieces: Sequence[Piece]


@dataclass(slots=True)
class _Group:
    """Documents that are embedded and written together; no id is in it twice."""

    members: list[_Prepared] = field(default_factory=list)
    chunks: int = 0

    def add(self, prepared: _Prepared) -> None:
        self.members.append(prepared)
        self.chunks += len(prepared.pieces)

    def full(self) -> bool:
        return self.chunks >= GROUP_CHUNKS or len(self.members) >= GROUP_DOCUMENTS

    def holds(self, document_id: str) -> bool:
        return any(member.whole.info.document_id == document_id for member in self.members)


class Ingestion:
    """Reads, cuts, embeds and writes documents."""

    def __init__(self, tools: Tools, max_chunks: int, clock: Callable[[], float]) -> None:
        """``max_chunks`` of one document; ``clock`` gives Unix seconds."""
        self._tools = tools
        self._max_chunks = max_chunks
        self._clock = clock

    async def run(
        self, bank: Bank, incoming: AsyncIterator[MemoryBankDocument], terms: Terms
    ) -> AsyncGenerator[Done, None]:
        """Yield what became of each document as soon as that is certain.

        The next document is taken when there is room for it.

        Raises:
            ResourceNotFound: the bank was dropped meanwhile.
        """
        group = _Group()
        index = 0
        coming = asyncio.ensure_future(_next(incoming))
        try:
            while True:
                await asyncio.wait([coming], timeout=LINGER_S if group.members else None)
                document = coming.result() if coming.done() else None
                if document is None or group.full() or group.holds(document.document_id):
                    for done in await self._write(bank, group, terms):
                        yield done
                    group = _Group()
                if document is not None:
                    prepared = await self._prepare(bank, index, document, terms)
                    if isinstance(prepared, Done):
                        yield prepared
                    else:
                        group.add(prepared)
                    index += 1
                    coming = asyncio.ensure_future(_next(incoming))
                elif coming.done():
                    return
        finally:
            coming.cancel()

    async def _prepare(self, bank: Bank, index: int, document: MemoryBankDocument, terms: Terms) -> _Prepared | Done:
        """Read and cut a document, unless there is nothing to do or it can't be."""
        try:
            _check(bank, document)
            fetched = await self._tools.sources.get(document.content, document.mime_type)
            named = document.mime_type or fetched.media_type
            kind = media.media_type(named, fetched.name or document.document_id, fetched.data)
            info = self._info(document, fetched, kind)
            known = (await self._tools.documents.known(bank.uid, [document.document_id])).get(document.document_id)
            outcome = judge(document.document_id, info.digest, known.digest if known else None, terms.rule)
            if isinstance(outcome, MeshError) or outcome is Outcome.UNCHANGED:
                return Done(index, document.document_id, outcome, known.chunk_count if known else 0)
            text = await self._tools.reader.read(fetched.data, kind)
            pieces = await self._cut(bank, text)
            told = await self._told(bank, document, pieces) if bank.kind == GRAPH else None
        except MeshError as error:
            return Done(index, document.document_id, error)
        whole = Whole(
            info=replace(info, chunk_count=len(pieces) if bank.kind != KEYVALUE else 1),
            content=_handed_back(document.content, fetched),
            text=text.text if bank.kind == KEYVALUE else None,
            expires_at=terms.expires_at,
            brought=_brought(document),
            told=told,
        )
        return _Prepared(index, whole, pieces)

    async def _told(self, bank: Bank, document: MemoryBankDocument, pieces: Sequence[Piece]) -> graph.Told:
        """Return what a document tells: what it brought, else what the bank's model reads out of it."""
        entities: Sequence[GraphEntity] = document.entities
        relations: Sequence[GraphRelation] = document.relations
        if not entities and not relations and bank.config.graph.extraction_model:
            entities, relations = await self._tools.extraction.read(bank.config.graph.extraction_model, pieces)
        return graph.told(entities, relations, pieces)

    async def _cut(self, bank: Bank, text: chunking.Text) -> Sequence[Piece]:
        if bank.kind == KEYVALUE:
            return ()
        return await asyncio.to_thread(chunking.pieces, text, bank.cut(self._max_chunks))

    def _info(self, document: MemoryBankDocument, fetched: Fetched, kind: str) -> Info:
        content_hash = sha256(fetched.data).hexdigest()
        remarks = json_text.write(JsonValue(object_value=JsonObject(fields=document.metadata)))
        told = "\0".join((content_hash, kind, fetched.source or "", remarks))
        if (brought := _brought(document)) is not None:
            told += "\0" + sha256(brought.SerializeToString(deterministic=True)).hexdigest()
        return Info(
            document_id=document.document_id,
            revision=new_id(self._clock),
            digest=sha256(told.encode()).hexdigest(),
            mime_type=kind,
            source=fetched.source,
            metadata=document.metadata,
            content_hash=content_hash,
            content_bytes=len(fetched.data),
            chunk_count=0,
        )

    async def _write(self, bank: Bank, group: _Group, terms: Terms) -> list[Done]:
        """Embed and write a group; the revisions before come out of the store last."""
        if not group.members:
            return []
        documents, store = self._tools.documents, self._tools.store
        try:
            chunks = await self._chunks(bank, group)
            if bank.shape is not None:
                await documents.begin(bank.uid, [member.whole.info.revision for member in group.members])
                await store.write(bank.uid, chunks)
            outcomes, left = await documents.commit(bank.uid, [member.whole for member in group.members], terms.rule)
        except BankGone as error:
            raise ResourceNotFound(BANK, bank.bank_id) from error
        except MeshError as error:
            if not await documents.has_bank(bank.uid):
                raise ResourceNotFound(BANK, bank.bank_id) from error
            return [Done(member.index, member.whole.info.document_id, error) for member in group.members]
        if left and bank.shape is not None:
            await store.forget(bank.uid, left)
        await documents.cleared(bank.uid, left)
        return [
            Done(
                member.index,
                member.whole.info.document_id,
                outcome,
                0 if isinstance(outcome, MeshError) else member.whole.info.chunk_count,
            )
            for member, outcome in zip(group.members, outcomes, strict=True)
        ]

    async def _chunks(self, bank: Bank, group: _Group) -> list[StoredChunk]:
        if bank.shape is None:
            return []
        pieces = [(member, piece) for member in group.members for piece in member.pieces]
        vectors: Sequence[Sequence[float] | None] = [None] * len(pieces)
        if bank.embedding_model and pieces:
            vectors = await self._tools.inference.embed(bank.embedding_model, [piece.text for _, piece in pieces])
            if any(vector is None or len(vector) != bank.dimension for vector in vectors):
                raise WrongState(
                    f"model {bank.embedding_model} does not make vectors of {bank.dimension} components any more"
                )
        known = {member.index: features(member.whole.info.metadata) for member in group.members}
        return [
            StoredChunk(member.whole.info.revision, piece, known[member.index], vector)
            for (member, piece), vector in zip(pieces, vectors, strict=True)
        ]


async def _next(incoming: AsyncIterator[MemoryBankDocument]) -> MemoryBankDocument | None:
    return await anext(incoming, None)


def _check(bank: Bank, document: MemoryBankDocument) -> None:
    if "\0" in document.document_id:
        raise InvalidField("document_id", "an id without the character of code 0 is needed")
    if "\0" in document.mime_type:
        raise InvalidField("mime_type", "a media type is needed")
    if bank.kind == GRAPH:
        graph.check(document)
    elif document.entities or document.relations:
        raise WrongState(f"entities and relations are for graph banks; this one is of kind {bank.kind}")


def _brought(document: MemoryBankDocument) -> MemoryBankDocument | None:
    """Return the entities and relations that a document brought, None for none."""
    if not document.entities and not document.relations:
        return None
    return MemoryBankDocument(entities=document.entities, relations=document.relations)


def _handed_back(content: DocumentContent, fetched: Fetched) -> DocumentContent:
    """Return what a reader of the document gets: the form in which it came, or what was fetched."""
    return DocumentContent(data=fetched.data) if content.HasField("url") else content
