"""The memory service, as turns need it: search banks, and keep the files of a session in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import grpc.aio

from llamastack.common.v1.content_pb2 import Attachment
from llamastack.memory.v1 import bank_pb2, document_pb2, query_pb2
from llamastack.memory.v1.memory_banks_service_pb2_grpc import MemoryBanksServiceStub
from mesh.errors import InvalidField, ResourceExists, ResourceNotFound, from_rpc

if TYPE_CHECKING:
    from llamastack.memory.v1.memory_banks_service_pb2_grpc import MemoryBanksServiceAsyncStub


class Banks(Protocol):
    """Something that keeps banks of documents."""

    async def check(self, bank_id: str) -> None:
        """Raise ResourceNotFound if there is no such bank."""
        ...

    async def query(self, bank_id: str, query: str, params: query_pb2.QueryParams) -> query_pb2.QueryMemoryBankResponse:
        """Return what a bank has to a text."""
        ...

    async def keep(self, bank_id: str, name: str, files: Mapping[str, Attachment]) -> None:
        """Put files, by their document ids, into a bank that is made if it is not there."""
        ...

    async def drop(self, bank_id: str) -> None:
        """Delete a bank; one that is not there stays so."""
        ...


class Memory:
    """Calls the memory service as whoever the turn belongs to.

    Every method raises what the service answered with, and BackendUnavailable when it can't be reached.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Keep the channel."""
        self._stub: MemoryBanksServiceAsyncStub = MemoryBanksServiceStub(channel)

    async def check(self, bank_id: str) -> None:
        """Return if there is such a bank.

        Raises:
            ResourceNotFound: there is none.
        """
        try:
            await self._stub.GetMemoryBank(bank_pb2.GetMemoryBankRequest(bank_id=bank_id))
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error

    async def query(self, bank_id: str, query: str, params: query_pb2.QueryParams) -> query_pb2.QueryMemoryBankResponse:
        """Return what a bank has to a text."""
        text = query_pb2.QueryText(text=query)
        try:
            return await self._stub.QueryMemoryBank(
                query_pb2.QueryMemoryBankRequest(bank_id=bank_id, query=text, params=params)
            )
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error

    async def keep(self, bank_id: str, name: str, files: Mapping[str, Attachment]) -> None:
        """Put files, by their document ids, into a bank that is made if it is not there.

        Raises:
            InvalidField: a file can't be read.
        """
        try:
            await self._stub.CreateMemoryBank(bank_pb2.CreateMemoryBankRequest(bank_id=bank_id, bank_name=name))
        except grpc.aio.AioRpcError as error:
            told = from_rpc(error)
            if not isinstance(told, ResourceExists):
                raise told from error
        documents = [_document(document_id, file) for document_id, file in files.items()]
        request = document_pb2.InsertDocumentsRequest(bank_id=bank_id, documents=documents, replace=True)
        try:
            results: Sequence[document_pb2.DocumentResult] = (await self._stub.InsertDocuments(request)).results
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        for result in results:
            if result.outcome == document_pb2.DOCUMENT_OUTCOME_FAILED:
                raise InvalidField("attachments", f"files that can be read: {result.error.message}")

    async def drop(self, bank_id: str) -> None:
        """Delete a bank; one that is not there stays so."""
        try:
            await self._stub.DropMemoryBank(bank_pb2.DropMemoryBankRequest(bank_id=bank_id))
        except grpc.aio.AioRpcError as error:
            told = from_rpc(error)
            if not isinstance(told, ResourceNotFound):
                raise told from error


def _document(document_id: str, file: Attachment) -> document_pb2.MemoryBankDocument:
    content = document_pb2.DocumentContent(url=document_pb2.DocumentUrl(uri=file.url.uri))
    return document_pb2.MemoryBankDocument(document_id=document_id, content=content, mime_type=file.mime_type)
