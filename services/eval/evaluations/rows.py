"""Rows of datasets, read from the datasets service; one revision for a job's whole life."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import grpc.aio

from llamastack.datasets.v1 import dataset_requests_pb2 as pb
from llamastack.datasets.v1.dataset_pb2 import DatasetRevision, TrainEvalDataset
from mesh.errors import BackendUnavailable, InvalidField, from_rpc
from services.eval.evaluations.generation import Patience, patiently
from services.eval.evaluations.sample import Row

_STORED: Final = "dataset:"


@dataclass(frozen=True, slots=True)
class Pinned:
    """A revision; ``borrowed`` if the dataset was stored for the job alone."""

    revision: DatasetRevision
    borrowed: bool


class Datasets:
    """Pins, reads and lets go of datasets.

    Args:
        stub: the datasets service.
        patience: how long the service may be away.
    """

    def __init__(self, stub: Any, patience: Patience | None = None) -> None:
        self._stub = stub
        self._patience = patience or Patience()

    async def pin(self, dataset: TrainEvalDataset, job: str) -> Pinned:
        """Return the revision that a job reads; rows that lie at a URL are stored for the time of the job.

        Raises:
            ResourceNotFound: there is no such dataset.
            InvalidField: its rows can't be read.
        """
        uri = dataset.content_url.uri
        if not uri.startswith(_STORED):
            name = f"evaluation-{sha256(job.encode()).hexdigest()[:32]}"
            create = pb.CreateDatasetRequest(uuid=name, dataset=dataset)
            made = await patiently(lambda: self._stub.CreateDataset(create), self._patience)
            return Pinned(made.revision, borrowed=True)
        uuid, _, revision = uri.removeprefix(_STORED).partition("@")
        if not uuid:
            raise InvalidField("dataset.content_url", "dataset:UUID or dataset:UUID@REVISION is needed")
        get = pb.GetDatasetRequest(dataset_uuid=uuid, revision=revision or None)
        found = await patiently(lambda: self._stub.GetDataset(get), self._patience)
        return Pinned(found.revision, borrowed=False)

    async def rows(self, uuid: str, revision: str, first: int) -> AsyncGenerator[Row]:
        """Yield the rows from a position on; a stream that breaks off is taken up where it was.

        Raises:
            MeshError: the dataset is not there any more.
        """
        position, tries = first, 0
        while True:
            request = pb.ReadDatasetRequest(dataset_uuid=uuid, revision=revision, offset=position)
            try:
                async for answer in self._stub.ReadDataset(request):
                    for data in answer.rows:
                        yield Row(position, data)
                        position, tries = position + 1, 0
                return
            except grpc.aio.AioRpcError as error:
                told = from_rpc(error)
                tries += 1
                if not isinstance(told, BackendUnavailable) or tries == self._patience.tries:
                    raise told from error
            await self._patience.sleep(self._patience.pause_s * 2 ** (tries - 1))

    async def drop(self, uuid: str) -> None:
        """Delete a dataset that was stored for a job; if that fails, it stays."""
        with suppress(grpc.aio.AioRpcError):
            await self._stub.DeleteDataset(pb.DeleteDatasetRequest(dataset_uuid=uuid))
