"""What the service does with datasets: reads, checks and stores them, gives them back, holds them for jobs."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final

from llamastack.datasets.v1 import dataset_pb2 as pb
from llamastack.datasets.v1 import dataset_requests_pb2 as requests
from mesh.errors import InvalidField, MeshError, OutOfRange, ResourceExists, ResourceNotFound
from mesh.ids import new_id
from services.training.datasets.catalog import DATASET, Catalog, Facts, Revision
from services.training.datasets.files import Files, lines
from services.training.datasets.intake import Arrival, Intake
from services.training.datasets.messages import columns_of, metadata_only
from services.training.datasets.sources import Sources, format_of, shown
from services.training.revisions import ColumnType, LocalRevision

STORED: Final = "dataset:"
_LEFT_OVER_S: Final = 24 * 3600.0
_READ_BYTES: Final = 256 * 1024
_PREVIEW_BYTES: Final = 16 * 1024 * 1024
_PREVIEW_ROWS: Final = 10


@dataclass(frozen=True, slots=True)
class Parts:
    """What the library works with."""

    catalog: Catalog
    files: Files
    intake: Intake
    sources: Sources


@dataclass(frozen=True, slots=True)
class Origin:
    """How a revision came to be: the kind of origin, the URL to show, and what the creator said about it."""

    kind: pb.DatasetOrigin.ValueType
    source: str | None = None
    metadata: bytes = b""


class Library:
    """The datasets of all tenants. ``staging`` is a folder for what is being written, ``clock`` gives Unix seconds."""

    def __init__(self, parts: Parts, staging: Path, clock: Callable[[], float]) -> None:
        """Keep the parts."""
        self._catalog = parts.catalog
        self._files = parts.files
        self._intake = parts.intake
        self._sources = parts.sources
        self._staging = staging
        self._clock = clock

    async def create(self, tenant: str, request: requests.CreateDatasetRequest) -> Revision:
        """Store a dataset and return its first revision.

        Raises:
            ResourceExists: the tenant has another one of that id.
            MeshError: what reading it raises; see ``Revisions.hold``.
        """
        digest = sha256(request.SerializeToString(deterministic=True)).hexdigest()
        if (found := await self._catalog.created(tenant, request.uuid, digest)) is not None:
            return found
        facts = await self._read(tenant, request.dataset, "dataset")
        try:
            return await self._catalog.create(tenant, request.uuid, digest, facts)
        except ResourceExists:
            # the same request may have come twice at once
            await self._discard([facts.uid])
            found = await self._catalog.created(tenant, request.uuid, digest)
            if found is None:
                raise
            return found

    async def revise(self, tenant: str, request: requests.ReviseDatasetRequest) -> Revision:
        """Store a further revision of a dataset and return it, or the latest one if its rows are the same.

        Raises:
            ResourceNotFound: the tenant has no such dataset.
            ResourceBusy: another revision than the named parent is the latest.
            MeshError: what reading it raises; see ``Revisions.hold``.
        """
        parent = request.parent_revision if request.HasField("parent_revision") else None
        await self._catalog.get(tenant, request.dataset_uuid)
        facts = await self._read(tenant, request.dataset, "dataset")
        return await self._revise(tenant, request.dataset_uuid, parent, facts)

    async def upload(
        self, tenant: str, header: requests.UploadDatasetHeader, chunks: AsyncGenerator[bytes]
    ) -> Revision:
        """Store what is sent as a new dataset, or as a revision if the header says so.

        Raises:
            ResourceExists: the tenant has one of that id, and ``revise`` is not set.
            ResourceNotFound: it has none, and ``revise`` is set.
            DataLoss: the bytes are not those that the header tells of.
            InvalidField: the rows don't fit the columns, or the bytes not the format.
        """
        known = await self._catalog.has(tenant, header.uuid)
        if header.revise and not known:
            raise ResourceNotFound(DATASET, header.uuid)
        if known and not header.revise:
            raise ResourceExists(DATASET, header.uuid)
        arrival = Arrival(chunks, header.format, columns_of(header.columns), "chunk")
        origin = Origin(pb.DATASET_ORIGIN_UPLOAD, metadata=metadata_only(header.metadata))
        if header.revise:
            return await self._revise(tenant, header.uuid, None, await self._take(arrival, origin))
        return await self.write(tenant, header.uuid, arrival, origin, revise=False)

    async def write(
        self, tenant: str, dataset_uuid: str, arrival: Arrival, origin: Origin, *, revise: bool = True
    ) -> Revision:
        """Store rows as a new dataset, or as a revision of one that exists if that is allowed.

        Raises:
            ResourceExists: the tenant has one of that id.
            InvalidField: the rows don't fit the columns.
        """
        facts = await self._take(arrival, origin)
        try:
            return await self._catalog.create(tenant, dataset_uuid, sha256(facts.uid.encode()).hexdigest(), facts)
        except ResourceExists:
            if not revise:
                await self._discard([facts.uid])
                raise
        return await self._revise(tenant, dataset_uuid, None, facts)

    async def delete(self, tenant: str, dataset_uuid: str) -> None:
        """Delete a dataset; what is held of it stays until it is released.

        Raises:
            ResourceNotFound: the tenant has no such dataset.
        """
        await self._discard(await self._catalog.drop(tenant, dataset_uuid))

    async def preview(
        self, tenant: str, request: requests.PreviewDatasetRequest
    ) -> tuple[list[dict[str, Any]], Revision]:
        """Return some rows of a revision, and the revision.

        Raises:
            ResourceNotFound: the tenant has no such dataset, or it no such revision.
            OutOfRange: the first row is past the end.
        """
        name = request.revision if request.HasField("revision") else None
        revision = await self._catalog.get(tenant, request.dataset_uuid, name)
        _check_offset(revision, request.offset)
        found = lines(self._files, revision.facts.uid, revision.facts.shards, request.offset)
        limit = request.limit or _PREVIEW_ROWS
        return await asyncio.to_thread(_some, islice(found, limit), _PREVIEW_BYTES), revision

    async def read(self, tenant: str, request: requests.ReadDatasetRequest) -> AsyncGenerator[list[dict[str, Any]]]:
        """Yield the rows of a revision, several at a time.

        Raises:
            ResourceNotFound: the tenant has no such dataset, or it no such revision.
            OutOfRange: the first row is past the end.
        """
        name = request.revision if request.HasField("revision") else None
        revision = await self._catalog.get(tenant, request.dataset_uuid, name)
        _check_offset(revision, request.offset)
        found = lines(self._files, revision.facts.uid, revision.facts.shards, request.offset)
        while rows := await asyncio.to_thread(_some, found, _READ_BYTES):
            yield rows

    async def hold(
        self, tenant: str, holder: str, dataset: pb.TrainEvalDataset, path: str = "dataset"
    ) -> LocalRevision:
        """Hold a dataset; see ``Revisions``."""
        held = await self._catalog.held(tenant, holder)
        if held is None:
            await self._hold(tenant, holder, dataset, path)
            held = await self._catalog.held(tenant, holder)
            assert held is not None
        facts = held.revision.facts
        shards = await asyncio.to_thread(self._files.local, facts.uid, facts.shards)
        return LocalRevision(
            held.dataset_uuid, held.revision_name, facts.content_hash, facts.num_rows, held.columns, shards
        )

    async def release(self, tenant: str, holder: str) -> None:
        """Let go of a dataset; see ``Revisions``."""
        await self._discard(await self._catalog.release(tenant, holder))

    async def held_by(self, prefix: str) -> list[tuple[str, str]]:
        """Return tenants and holders; see ``Revisions``."""
        return await self._catalog.holders(prefix)

    async def tidy(self, *, alone: bool) -> None:
        """Remove what was left over by processes that died; ``alone`` says that no other process writes."""
        if alone:
            await asyncio.to_thread(shutil.rmtree, self._staging, True)
        await self._discard(await self._catalog.leftovers(self._clock() - (0.0 if alone else _LEFT_OVER_S)))

    async def _hold(self, tenant: str, holder: str, dataset: pb.TrainEvalDataset, path: str) -> None:
        url = dataset.content_url.uri
        if url.startswith(STORED):
            revision = await self._stored(tenant, url)
            await self._catalog.hold(tenant, holder, revision, _chosen(dataset, revision, path))
            return
        facts = await self._read(tenant, dataset, path)
        await self._catalog.keep(tenant, holder, facts)
        held = await self._catalog.held(tenant, holder)
        if held is not None and held.revision.facts.uid != facts.uid:
            await self._discard([facts.uid])

    async def _stored(self, tenant: str, url: str) -> Revision:
        dataset_uuid, sign, name = url.removeprefix(STORED).partition("@")
        return await self._catalog.get(tenant, dataset_uuid, name if sign else None)

    async def _read(self, tenant: str, dataset: pb.TrainEvalDataset, path: str) -> Facts:
        """Read what a request says is a dataset."""
        url, where = dataset.content_url.uri, f"{path}.content_url"
        metadata = metadata_only(dataset.metadata)
        if url.startswith(STORED):
            revision = await self._stored(tenant, url)
            columns = _chosen(dataset, revision, path)
            arrival = Arrival(self._bytes(revision), "jsonl", columns, where)
            return await self._take(arrival, Origin(pb.DATASET_ORIGIN_URL, url, metadata))
        told = dataset.metadata["format"].string_value if "format" in dataset.metadata else ""
        async with self._sources.open(url, where) as opened:
            kind = format_of(told, opened, where)
            arrival = Arrival(opened.chunks, kind, columns_of(dataset.columns), where)
            return await self._take(arrival, Origin(pb.DATASET_ORIGIN_URL, shown(url), metadata))

    async def _bytes(self, revision: Revision) -> AsyncGenerator[bytes]:
        found = lines(self._files, revision.facts.uid, revision.facts.shards, 0)
        while batch := await asyncio.to_thread(_batch, found, _READ_BYTES):
            yield b"".join(batch)

    async def _take(self, arrival: Arrival, origin: Origin) -> Facts:
        """Write rows to their place and return the facts; nothing refers to them yet."""
        uid = new_id(self._clock)
        await self._catalog.expect(uid)
        try:
            written = await self._intake.take(arrival, self._staging / uid)
            await asyncio.to_thread(self._files.put, self._staging / uid, uid, written.shards)
        except MeshError:
            await self._discard([uid])
            raise
        return Facts(
            uid=uid,
            content_hash=written.content_hash,
            num_rows=written.num_rows,
            size_bytes=written.size_bytes,
            columns=arrival.columns,
            census=written.columns,
            shards=written.shards,
            origin=int(origin.kind),
            source=origin.source,
            metadata=origin.metadata,
            created_at=self._clock(),
        )

    async def _revise(self, tenant: str, dataset_uuid: str, parent: str | None, facts: Facts) -> Revision:
        try:
            revision = await self._catalog.revise(tenant, dataset_uuid, parent, facts)
        except MeshError:
            await self._discard([facts.uid])
            raise
        if revision.facts.uid != facts.uid:
            await self._discard([facts.uid])
        return revision

    async def _discard(self, uids: Sequence[str]) -> None:
        """Remove files that nothing refers to; what can't be removed now is left over."""
        for uid in uids:
            try:
                await asyncio.to_thread(self._files.remove, uid)
                await self._catalog.forget(uid)
            except MeshError:
                continue


def _chosen(dataset: pb.TrainEvalDataset, revision: Revision, path: str) -> Mapping[str, ColumnType]:
    """Return the columns that a request asks for of a stored revision: all if it names none."""
    stored = revision.facts.columns
    asked = columns_of(dataset.columns)
    for name, kind in asked.items():
        if stored.get(name) is not kind:
            found = f"is of type {stored[name]}" if name in stored else "is not there"
            raise InvalidField(f"{path}.columns[{name!r}]", f"a column of the stored dataset is needed; it {found}")
    return asked or stored


def _check_offset(revision: Revision, offset: int) -> None:
    if offset >= revision.facts.num_rows:
        raise OutOfRange(f"the dataset has {revision.facts.num_rows} rows, counted from 0; there is no row {offset}")


def _batch(found: Iterator[bytes], most: int) -> list[bytes]:
    batch: list[bytes] = []
    size = 0
    for line in found:
        batch.append(line)
        size += len(line)
        if size >= most or len(batch) >= 1000:
            break
    return batch


def _some(found: Iterator[bytes], most: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _batch(found, most)]
