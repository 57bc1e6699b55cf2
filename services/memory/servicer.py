"""``llamastack.memory.v1.MemoryBanksService`` over the library: messages in, messages out, and whose bank it is."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from hashlib import sha256
from typing import Any, Final

from llamastack.memory.v1 import bank_pb2 as banks_pb
from llamastack.memory.v1 import document_pb2 as pb
from llamastack.memory.v1 import memory_banks_service_pb2_grpc as grpc_stubs
from llamastack.memory.v1 import query_pb2 as query_pb
from mesh import identity
from mesh.errors import InvalidField
from mesh.paging import page_size, read_token, write_token
from services.memory import messages
from services.memory.documents import Rule
from services.memory.library import Library
from services.memory.preparation import Done, Terms

Context = Any
BANKS: Final = "ListMemoryBanks"
DOCUMENTS: Final = "ListDocuments"
DOCUMENTS_BY_ID: Final = "GetDocuments"


class MemoryBanksServicer(grpc_stubs.MemoryBanksServiceServicer):
    """Keeps and searches the banks of the caller's tenant. ``clock`` gives Unix seconds."""

    def __init__(self, library: Library, clock: Callable[[], float] = time.time) -> None:
        """Keep the library."""
        self._library = library
        self._clock = clock

    async def CreateMemoryBank(
        self, request: banks_pb.CreateMemoryBankRequest, context: Context
    ) -> banks_pb.CreateMemoryBankResponse:
        """Make a bank."""
        bank_id, done = await self._library.create(_tenant(), request)
        return banks_pb.CreateMemoryBankResponse(bank_id=bank_id, results=map(messages.result, done))

    async def ListMemoryBanks(
        self, request: banks_pb.ListMemoryBanksRequest, context: Context
    ) -> banks_pb.ListMemoryBanksResponse:
        """List the banks, by id."""
        size = page_size(request.page_size)
        found = await self._library.page(_tenant(), _after(BANKS, request.page_token), size + 1)
        following = write_token(BANKS, (found[size - 1].bank.bank_id,)) if len(found) > size else ""
        return banks_pb.ListMemoryBanksResponse(
            memory_banks=map(messages.bank, found[:size]), next_page_token=following
        )

    async def GetMemoryBank(self, request: banks_pb.GetMemoryBankRequest, context: Context) -> banks_pb.MemoryBank:
        """Give one bank."""
        return messages.bank(await self._library.get(_tenant(), request.bank_id))

    async def DropMemoryBank(
        self, request: banks_pb.DropMemoryBankRequest, context: Context
    ) -> banks_pb.DropMemoryBankResponse:
        """Delete a bank."""
        await self._library.drop(_tenant(), request.bank_id)
        return banks_pb.DropMemoryBankResponse(bank_id=request.bank_id)

    async def InsertDocuments(self, request: pb.InsertDocumentsRequest, context: Context) -> pb.InsertDocumentsResponse:
        """Put documents into a bank."""
        done = await self._library.put(_tenant(), request.bank_id, request.documents, self._terms(request))
        return pb.InsertDocumentsResponse(results=map(messages.result, done))

    async def StreamInsertDocuments(
        self, request: pb.InsertDocumentsRequest, context: Context
    ) -> AsyncIterator[pb.DocumentProgress]:
        """Put documents into a bank and tell of each one."""
        documents, terms = _each(request), self._terms(request)
        async for progress in self._progress(request.bank_id, documents, terms, len(request.documents)):
            yield progress

    async def BulkInsertDocuments(
        self, request_iterator: AsyncIterator[pb.BulkInsertDocumentsRequest], context: Context
    ) -> AsyncIterator[pb.DocumentProgress]:
        """Put any number of documents into a bank and tell of each one."""
        first = await anext(aiter(request_iterator), None)
        if first is None or not first.bank_id:
            raise InvalidField("bank_id", "the first message says which bank")
        documents = _bulk(first, request_iterator)
        async for progress in self._progress(first.bank_id, documents, self._terms(first), first.total):
            yield progress

    async def UpdateDocuments(self, request: pb.UpdateDocumentsRequest, context: Context) -> pb.UpdateDocumentsResponse:
        """Replace documents."""
        done = await self._library.put(_tenant(), request.bank_id, request.documents, Terms(Rule.UPDATE))
        return pb.UpdateDocumentsResponse(results=map(messages.result, done))

    async def GetDocuments(self, request: pb.GetDocumentsRequest, context: Context) -> pb.GetDocumentsResponse:
        """Give documents by their ids."""
        ids = list(request.document_ids)
        which = f"{DOCUMENTS_BY_ID} {request.bank_id} {sha256(chr(0).join(ids).encode()).hexdigest()}"
        key = read_token(which, request.page_token)
        start = 0 if key is None else int(key[0])
        found, following = await self._library.documents(_tenant(), request.bank_id, ids, start)
        return pb.GetDocumentsResponse(
            documents=map(messages.document, found),
            next_page_token="" if following is None else write_token(which, (following,)),
        )

    async def ListDocuments(self, request: pb.ListDocumentsRequest, context: Context) -> pb.ListDocumentsResponse:
        """List the documents of a bank, by id."""
        size, which = page_size(request.page_size), f"{DOCUMENTS} {request.bank_id}"
        found = await self._library.listed(_tenant(), request.bank_id, _after(which, request.page_token), size + 1)
        following = write_token(which, (found[size - 1].document_id,)) if len(found) > size else ""
        return pb.ListDocumentsResponse(documents=map(messages.info, found[:size]), next_page_token=following)

    async def DeleteDocuments(self, request: pb.DeleteDocumentsRequest, context: Context) -> pb.DeleteDocumentsResponse:
        """Delete documents."""
        gone = await self._library.delete(_tenant(), request.bank_id, request.document_ids)
        return pb.DeleteDocumentsResponse(document_ids=gone)

    async def QueryMemoryBank(
        self, request: query_pb.QueryMemoryBankRequest, context: Context
    ) -> query_pb.QueryMemoryBankResponse:
        """Search a bank."""
        answer = await self._library.query(_tenant(), request)
        return query_pb.QueryMemoryBankResponse(
            chunks=map(messages.chunk, answer.results),
            scores=[result.score for result in answer.results],
            entities=answer.entities,
            relations=answer.relations,
        )

    async def _progress(
        self, bank_id: str, documents: AsyncIterator[pb.MemoryBankDocument], terms: Terms, total: int
    ) -> AsyncIterator[pb.DocumentProgress]:
        finished = 0
        async with aclosing(self._library.write(_tenant(), bank_id, documents, terms)) as progress:
            async for done in progress:
                finished += 1
                yield _message(done, finished, total)

    def _terms(self, request: pb.InsertDocumentsRequest | pb.BulkInsertDocumentsRequest) -> Terms:
        expires = self._clock() + request.ttl_seconds if request.HasField("ttl_seconds") else None
        return Terms(Rule.REPLACE if request.replace else Rule.INSERT, expires)


def _tenant() -> str:
    return identity.current().tenant


def _after(which: str, token: str) -> str:
    key = read_token(which, token)
    return "" if key is None else str(key[0])


def _message(done: Done, finished: int, total: int) -> pb.DocumentProgress:
    return pb.DocumentProgress(result=messages.result(done), index=done.index, done=finished, total=total)


async def _each(request: pb.InsertDocumentsRequest) -> AsyncIterator[pb.MemoryBankDocument]:
    for document in request.documents:
        yield document


async def _bulk(
    first: pb.BulkInsertDocumentsRequest, others: AsyncIterator[pb.BulkInsertDocumentsRequest]
) -> AsyncIterator[pb.MemoryBankDocument]:
    if first.HasField("document"):
        yield first.document
    async for message in others:
        if message.bank_id not in {"", first.bank_id}:
            raise InvalidField("bank_id", "all documents of a call go into the bank of its first message")
        if not message.HasField("document"):
            raise InvalidField("document", "a document is needed in every message but the first")
        yield message.document
