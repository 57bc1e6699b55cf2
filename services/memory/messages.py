"""The domain's values as messages of the contract."""

from __future__ import annotations

from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from llamastack.memory.v1 import bank_pb2, document_pb2, query_pb2
from mesh.errors import MeshError
from services.memory.banks import Counted
from services.memory.documents import Info, Outcome, Whole
from services.memory.preparation import Done
from services.memory.retrieval import Result

_OUTCOMES: Final = {
    Outcome.INSERTED: document_pb2.DOCUMENT_OUTCOME_INSERTED,
    Outcome.UPDATED: document_pb2.DOCUMENT_OUTCOME_UPDATED,
    Outcome.UNCHANGED: document_pb2.DOCUMENT_OUTCOME_UNCHANGED,
}


def bank(counted: Counted) -> bank_pb2.MemoryBank:
    """Return a bank with its counts."""
    known = counted.bank
    created = Timestamp()
    created.FromMicroseconds(int(known.created_at * 1_000_000))
    return bank_pb2.MemoryBank(
        memory_bank_id=known.bank_id,
        memory_bank_name=known.name,
        config=known.config,
        document_count=counted.documents,
        chunk_count=counted.chunks,
        created_at=created,
    )


def result(done: Done) -> document_pb2.DocumentResult:
    """Return what became of a document."""
    if isinstance(done.outcome, MeshError):
        error = document_pb2.DocumentError(
            code=done.outcome.code.value[0], reason=done.outcome.reason, message=done.outcome.message
        )
        failed = document_pb2.DOCUMENT_OUTCOME_FAILED
        return document_pb2.DocumentResult(document_id=done.document_id, outcome=failed, error=error)
    return document_pb2.DocumentResult(
        document_id=done.document_id, outcome=_OUTCOMES[done.outcome], chunk_count=done.chunks
    )


def document(whole: Whole) -> document_pb2.MemoryBankDocument:
    """Return a document with its content."""
    info, brought = whole.info, whole.brought or document_pb2.MemoryBankDocument()
    return document_pb2.MemoryBankDocument(
        document_id=info.document_id,
        content=whole.content,
        metadata=info.metadata,
        mime_type=info.mime_type,
        entities=brought.entities,
        relations=brought.relations,
    )


def info(known: Info) -> document_pb2.DocumentInfo:
    """Return a document without its content."""
    return document_pb2.DocumentInfo(
        document_id=known.document_id,
        mime_type=known.mime_type,
        metadata=known.metadata,
        chunk_count=known.chunk_count,
        content_hash=known.content_hash,
        content_bytes=known.content_bytes,
    )


def chunk(found: Result) -> query_pb2.Chunk:
    """Return a chunk with what a citation needs."""
    piece, known = found.piece, found.info
    return query_pb2.Chunk(
        content=piece.text,
        document_id=known.document_id,
        token_count=piece.tokens,
        chunk_index=piece.index,
        start_offset=piece.start,
        end_offset=piece.end,
        page=piece.page,
        section=piece.section,
        source=known.source,
        mime_type=known.mime_type,
        metadata=known.metadata,
    )
