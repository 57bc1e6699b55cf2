"""``llamastack.datasets.v1.DatasetsService`` over the library: messages in, messages out, and whose dataset it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from hashlib import sha256
from typing import Any, Final

from llamastack.common.v1.value_pb2 import JsonObject
from llamastack.datasets.v1 import dataset_requests_pb2 as pb
from llamastack.datasets.v1 import datasets_service_pb2_grpc as grpc_stubs
from mesh import identity
from mesh.errors import DataLoss, InvalidField
from mesh.paging import page_size, read_token, write_token
from services.training.datasets import messages
from services.training.datasets.catalog import Catalog
from services.training.datasets.collection import Collection
from services.training.datasets.library import Library

Context = Any
DATASETS: Final = "ListDatasets"
REVISIONS: Final = "ListDatasetRevisions"


class DatasetsServicer(grpc_stubs.DatasetsServiceServicer):
    """Keeps the datasets of the caller's tenant."""

    def __init__(self, library: Library, catalog: Catalog, collection: Collection) -> None:
        """Keep the library, what it knows, and what collects rows from other services."""
        self._library = library
        self._catalog = catalog
        self._collection = collection

    async def CreateDataset(self, request: pb.CreateDatasetRequest, context: Context) -> pb.CreateDatasetResponse:
        """Store a dataset."""
        found = await self._library.create(_tenant(), request)
        return pb.CreateDatasetResponse(revision=messages.revision(found))

    async def ReviseDataset(self, request: pb.ReviseDatasetRequest, context: Context) -> pb.ReviseDatasetResponse:
        """Store a further revision."""
        found = await self._library.revise(_tenant(), request)
        return pb.ReviseDatasetResponse(revision=messages.revision(found))

    async def GetDataset(self, request: pb.GetDatasetRequest, context: Context) -> pb.GetDatasetResponse:
        """Describe a dataset."""
        found = await self._catalog.get(_tenant(), request.dataset_uuid, _name(request))
        return pb.GetDatasetResponse(dataset=messages.dataset(found), revision=messages.revision(found))

    async def DeleteDataset(self, request: pb.DeleteDatasetRequest, context: Context) -> pb.DeleteDatasetResponse:
        """Delete a dataset."""
        await self._library.delete(_tenant(), request.dataset_uuid)
        return pb.DeleteDatasetResponse()

    async def ListDatasets(self, request: pb.ListDatasetsRequest, context: Context) -> pb.ListDatasetsResponse:
        """List the datasets, by id."""
        size = page_size(request.page_size)
        key = read_token(DATASETS, request.page_token)
        found = await self._catalog.datasets(_tenant(), "" if key is None else str(key[0]), size + 1)
        following = write_token(DATASETS, (found[size - 1].dataset_uuid,)) if len(found) > size else ""
        return pb.ListDatasetsResponse(datasets=map(messages.revision, found[:size]), next_page_token=following)

    async def ListDatasetRevisions(
        self, request: pb.ListDatasetRevisionsRequest, context: Context
    ) -> pb.ListDatasetRevisionsResponse:
        """List the revisions of a dataset, newest first."""
        size, which = page_size(request.page_size), f"{REVISIONS} {request.dataset_uuid}"
        key = read_token(which, request.page_token)
        before = None if key is None else int(key[0])
        found = await self._catalog.revisions(_tenant(), request.dataset_uuid, before, size + 1)
        following = write_token(which, (found[size - 1].number,)) if len(found) > size else ""
        return pb.ListDatasetRevisionsResponse(
            revisions=map(messages.revision, found[:size]), next_page_token=following
        )

    async def PreviewDataset(self, request: pb.PreviewDatasetRequest, context: Context) -> pb.PreviewDatasetResponse:
        """Show a few rows."""
        rows, found = await self._library.preview(_tenant(), request)
        made = await asyncio.to_thread(_rows, rows)
        return pb.PreviewDatasetResponse(rows=made, num_rows=found.facts.num_rows)

    async def ReadDataset(
        self, request: pb.ReadDatasetRequest, context: Context
    ) -> AsyncIterator[pb.ReadDatasetResponse]:
        """Send the rows."""
        async with aclosing(self._library.read(_tenant(), request)) as batches:
            async for rows in batches:
                yield pb.ReadDatasetResponse(rows=await asyncio.to_thread(_rows, rows))

    async def GetDatasetStatistics(
        self, request: pb.GetDatasetStatisticsRequest, context: Context
    ) -> pb.GetDatasetStatisticsResponse:
        """Describe the rows."""
        found = await self._catalog.get(_tenant(), request.dataset_uuid, _name(request))
        return pb.GetDatasetStatisticsResponse(revision=messages.revision(found), columns=messages.statistics(found))

    async def UploadDataset(
        self, request_iterator: AsyncIterator[pb.UploadDatasetRequest], context: Context
    ) -> pb.UploadDatasetResponse:
        """Store what is sent."""
        pieces = aiter(request_iterator)
        first = await anext(pieces, None)
        if first is None or not first.HasField("header"):
            raise InvalidField("header", "the first message says what is uploaded")
        chunks = _chunks(pieces, first.header.sha256)
        found = await self._library.upload(_tenant(), first.header, chunks)
        return pb.UploadDatasetResponse(revision=messages.revision(found))

    async def CollectDataset(self, request: pb.CollectDatasetRequest, context: Context) -> pb.CollectDatasetResponse:
        """Make a dataset out of what agents and models have done."""
        found = await self._collection.collect(_tenant(), request)
        return pb.CollectDatasetResponse(revision=messages.revision(found))


def _rows(rows: list[dict[str, Any]]) -> list[JsonObject]:
    return [messages.row(row) for row in rows]


def _tenant() -> str:
    return identity.current().tenant


def _name(request: pb.GetDatasetRequest | pb.GetDatasetStatisticsRequest) -> str | None:
    return request.revision if request.HasField("revision") else None


async def _chunks(pieces: AsyncIterator[pb.UploadDatasetRequest], told: str) -> AsyncGenerator[bytes]:
    """Yield the bytes of an upload.

    Raises:
        InvalidField: a further header comes.
        DataLoss: the bytes are not those that were told.
    """
    seen = sha256()
    async for piece in pieces:
        if not piece.HasField("chunk"):
            raise InvalidField("chunk", "bytes are needed in every message but the first")
        seen.update(piece.chunk)
        yield piece.chunk
    if told and seen.hexdigest() != told:
        raise DataLoss("the bytes that came are not those of the sha256")
