"""Making documents ready for a bank: fetched, compared with what is there, read and cut."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from llamastack.memory.v1.document_pb2 import DocumentContent, MemoryBankDocument
from llamastack.memory.v1.graph_pb2 import GraphEntity, GraphRelation
from mesh import json_text
from mesh.errors import InvalidField, MeshError, WrongState
from mesh.ids import new_id
from services.memory import chunking, graph, media
from services.memory.bank import GRAPH, KEYVALUE, Bank
from services.memory.documents import Documents, Info, Outcome, Rule, Whole, judge
from services.memory.extraction import Extraction
from services.memory.intake import MOST_BYTES, Numbered
from services.memory.readers.reader import Reader
from services.memory.sources import Fetched, Sources
from services.memory.store import Piece

_AHEAD: Final = 4
"""Documents behind URLs that are fetched at once, so that a host that does not answer holds up few others."""
_SHORT: Final = 2048
"""Characters of a text that is cut at once, in less time than it takes to hand it to a thread."""


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
class Prepared:
    """A document that is read and cut."""

    index: int
    whole: Whole
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Tools:
    """What documents pass through on their way to be written."""

    sources: Sources
    reader: Reader
    documents: Documents
    extraction: Extraction


@dataclass(frozen=True, slots=True)
class _Got:
    """A document with its bytes and what is known of it."""

    index: int
    document: MemoryBankDocument
    fetched: Fetched
    info: Info


class Preparation:
    """Prepares documents for a bank."""

    def __init__(self, tools: Tools, max_chunks: int, clock: Callable[[], float]) -> None:
        """``max_chunks`` of one document; ``clock`` gives Unix seconds."""
        self._tools = tools
        self._max_chunks = max_chunks
        self._clock = clock

    async def prepare(
        self, bank: Bank, batch: Sequence[Numbered], terms: Terms
    ) -> AsyncGenerator[list[Done | Prepared], None]:
        """Yield the documents in groups: each ready to be written, or what became of one that is not to be.

        A group ends where its documents are large once they are fetched, so that few of those are in memory.
        """
        got: list[Done | _Got] = []
        size = 0
        async with aclosing(self._each(bank, batch)) as each:
            async for one in each:
                got.append(one)
                size += len(one.fetched.data) if isinstance(one, _Got) else 0
                if size >= MOST_BYTES:
                    yield await self._group(bank, got, terms)
                    got, size = [], 0
        if got:
            yield await self._group(bank, got, terms)

    async def _each(self, bank: Bank, batch: Sequence[Numbered]) -> AsyncGenerator[Done | _Got, None]:
        """Yield the documents in their order; while one is waited for, the next few are fetched."""
        if not any(document.content.HasField("url") for _, document in batch):
            for index, document in batch:
                yield await self._get(bank, index, document)
            return
        ahead: deque[asyncio.Future[Done | _Got]] = deque()
        try:
            for index, document in batch:
                ahead.append(asyncio.ensure_future(self._get(bank, index, document)))
                if len(ahead) == _AHEAD:
                    yield await ahead.popleft()
            while ahead:
                yield await ahead.popleft()
        finally:
            for left in ahead:
                left.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def _group(self, bank: Bank, got: Sequence[Done | _Got], terms: Terms) -> list[Done | Prepared]:
        ids = [one.document.document_id for one in got if isinstance(one, _Got)]
        try:
            known = await self._tools.documents.known(bank.uid, ids) if ids else {}
        except MeshError as error:
            return [one if isinstance(one, Done) else Done(one.index, one.info.document_id, error) for one in got]
        ready: list[Done | Prepared] = []
        for one in got:
            if isinstance(one, Done):
                ready.append(one)
                continue
            there = known.get(one.info.document_id)
            outcome = judge(one.info.document_id, one.info.digest, there.digest if there else None, terms.rule)
            if isinstance(outcome, MeshError) or outcome is Outcome.UNCHANGED:
                ready.append(Done(one.index, one.info.document_id, outcome, there.chunk_count if there else 0))
            else:
                ready.append(await self._read(bank, one, terms))
        return ready

    async def _get(self, bank: Bank, index: int, document: MemoryBankDocument) -> Done | _Got:
        try:
            _check(bank, document)
            fetched = await self._tools.sources.get(document.content, document.mime_type)
            named = document.mime_type or fetched.media_type
            kind = media.media_type(named, fetched.name or document.document_id, fetched.data)
        except MeshError as error:
            return Done(index, document.document_id, _bare(error))
        return _Got(index, document, fetched, await self._info(document, fetched, kind))

    async def _read(self, bank: Bank, got: _Got, terms: Terms) -> Done | Prepared:
        document = got.document
        try:
            text = await self._tools.reader.read(got.fetched.data, got.info.mime_type)
            pieces = await self._cut(bank, text)
            told = await self._told(bank, document, pieces) if bank.kind == GRAPH else None
        except MeshError as error:
            return Done(got.index, document.document_id, _bare(error))
        whole = Whole(
            info=replace(got.info, chunk_count=len(pieces) if bank.kind != KEYVALUE else 1),
            content=_handed_back(document.content, got.fetched),
            text=text.text if bank.kind == KEYVALUE else None,
            expires_at=terms.expires_at,
            brought=_brought(document),
            told=told,
        )
        return Prepared(got.index, whole, pieces)

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
        cut = bank.cut(self._max_chunks)
        if len(text.text) <= _SHORT:
            return chunking.pieces(text, cut)
        return await asyncio.to_thread(chunking.pieces, text, cut)

    async def _info(self, document: MemoryBankDocument, fetched: Fetched, kind: str) -> Info:
        data = fetched.data
        digest = sha256(data) if len(data) <= 65536 else await asyncio.to_thread(sha256, data)
        content_hash = digest.hexdigest()
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
            content_bytes=len(data),
            chunk_count=0,
        )


def _bare(error: MeshError) -> MeshError:
    """Return an error without where it comes from, which would hold the document in memory for as long as itself."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


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
