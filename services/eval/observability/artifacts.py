"""Artifacts: what is known about them in the database, their bytes in files."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from sqlalchemy import func, select, tuple_

from llamastack.observability.v1 import artifact_pb2 as pb
from mesh.errors import MeshError, OutOfRange, QuotaExceeded, ResourceNotFound, WrongState
from mesh.ids import new_id
from mesh.storage import Storage
from services.eval.observability import keys
from services.eval.observability.files import Files
from services.eval.observability.tables import ARTIFACTS

KIND: Final = "artifact"
_PREFIX: Final = "ARTIFACT_TYPE_"
_BINARY: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a file, and how many the whole file has."""

    data: bytes
    size: int


class Artifacts:
    """Stores, links and finds artifacts; whether their experiment and run are there is checked by the caller.

    Args:
        storage: the database.
        files: the bytes.
        most_bytes: bytes that uploaded files may take in all.
        clock: gives Unix seconds.
    """

    def __init__(self, storage: Storage, files: Files, most_bytes: int, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._files = files
        self._most = most_bytes
        self._clock = clock

    async def upload(self, tenant: str, request: pb.UploadArtifactRequest) -> pb.Artifact:
        """Store a file.

        Raises:
            QuotaExceeded: the store is full.
        """
        made = self._new(request)
        made.type = pb.ArtifactType.Value(_PREFIX + request.artifact_type.upper())
        made.size = len(request.content)
        made.sha256 = sha256(request.content).hexdigest()
        made.mime_type = _media_type(request, request.content)
        async with self._storage.reading() as session:
            taken = (await session.execute(select(func.coalesce(func.sum(ARTIFACTS.c.stored_bytes), 0)))).scalar_one()
        if int(taken) + made.size > self._most:
            raise QuotaExceeded("the store of artifacts", "the store of artifacts is full")
        place = self._place(tenant, made.id)
        await asyncio.to_thread(self._files.write, place, request.content)
        try:
            await self._keep(tenant, made, made.size)
        except BaseException:
            with suppress(MeshError):
                await asyncio.shield(asyncio.to_thread(self._files.remove, place))
            raise
        return made

    async def link(self, tenant: str, request: pb.LinkArtifactRequest) -> pb.Artifact:
        """Make a file or a folder known that stays where it is.

        Raises:
            InvalidField: it is not there or out of the places that are allowed.
        """
        found = await asyncio.to_thread(self._files.look, request.url.uri)
        made = self._new(request)
        made.type = request.type
        made.size = found.size
        made.mime_type = _media_type(request, None)
        made.url.CopyFrom(request.url)
        if found.sha256 is not None:
            made.sha256 = found.sha256
        await self._keep(tenant, made, 0)
        return made

    async def get(self, tenant: str, artifact_id: str) -> pb.Artifact:
        """Return what is known about an artifact.

        Raises:
            ResourceNotFound: the tenant has none of that id.
        """
        query = select(ARTIFACTS.c.data).where(ARTIFACTS.c.id == keys.exact(artifact_id), ARTIFACTS.c.tenant == tenant)
        async with self._storage.reading() as session:
            found = (await session.execute(query)).scalar_one_or_none()
        if found is None:
            raise ResourceNotFound(KIND, artifact_id)
        return pb.Artifact.FromString(found)

    async def page(
        self, tenant: str, request: pb.ListArtifactsRequest, after: tuple[float, str] | None, size: int
    ) -> Sequence[tuple[float, pb.Artifact]]:
        """Return up to ``size`` artifacts of an experiment with the time of their making, newest first."""
        table = ARTIFACTS
        query = select(table.c.created_at, table.c.data).where(
            table.c.tenant == tenant, table.c.experiment == keys.exact(request.experiment_id)
        )
        if request.HasField("run_id"):
            query = query.where(table.c.run == keys.exact(request.run_id))
        if request.type:
            query = query.where(table.c.type == _word(request.type))
        if after is not None:
            query = query.where(tuple_(table.c.created_at, table.c.id) < after)
        query = query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(size)
        async with self._storage.reading() as session:
            rows = (await session.execute(query)).all()
        return [(created_at, pb.Artifact.FromString(data)) for created_at, data in rows]

    async def read(self, tenant: str, artifact_id: str, offset: int = 0) -> AsyncGenerator[Piece]:
        """Yield the bytes of an artifact from an offset on; one empty piece if there are none.

        Raises:
            ResourceNotFound: the tenant has none of that id.
            WrongState: it is a folder.
            OutOfRange: the offset is past the end.
            DataLoss: its file is gone.
        """
        known = await self.get(tenant, artifact_id)
        if not known.HasField("sha256"):
            raise WrongState(f"artifact {artifact_id!r} is a folder, which has no bytes of its own")
        if offset > known.size:
            raise OutOfRange(f"offset: the artifact has {known.size} bytes")
        place = known.url.uri if known.HasField("url") else self._place(tenant, known.id)
        pieces = self._files.read(place, offset)
        sent = False
        while (data := await asyncio.to_thread(next, pieces, None)) is not None:
            yield Piece(data, known.size)
            sent = True
        if not sent:
            yield Piece(b"", known.size)

    async def _keep(self, tenant: str, made: pb.Artifact, stored_bytes: int) -> None:
        row = {
            "id": made.id,
            "tenant": tenant,
            "experiment": made.experiment_id,
            "run": made.run_id if made.HasField("run_id") else None,
            "type": _word(made.type),
            "stored_bytes": stored_bytes,
            "created_at": made.created_at.ToMicroseconds() / 1e6,
            "data": made.SerializeToString(),
        }
        async with self._storage.writing() as session:
            await session.execute(ARTIFACTS.insert().values(row))

    def _new(self, request: pb.UploadArtifactRequest | pb.LinkArtifactRequest) -> pb.Artifact:
        return pb.Artifact(
            id=new_id(self._clock),
            name=request.name,
            created_at=keys.timestamp(self._clock()),
            metadata=request.metadata,
            experiment_id=request.experiment_id,
            run_id=request.run_id if request.HasField("run_id") else None,
        )

    def _place(self, tenant: str, artifact_id: str) -> str:
        # a tenant's name may hold anything, a digest makes a folder's name of it
        return self._files.url(sha256(tenant.encode()).hexdigest()[:16], artifact_id)


def _media_type(request: pb.UploadArtifactRequest | pb.LinkArtifactRequest, data: bytes | None) -> str:
    if request.HasField("mime_type"):
        return request.mime_type
    guessed, encoding = mimetypes.guess_type(request.name)
    if guessed is not None and encoding is None:
        return guessed
    if data is None or b"\0" in data:
        return _BINARY
    try:
        data.decode()
    except UnicodeDecodeError:
        return _BINARY
    return "text/plain"


def _word(kind: pb.ArtifactType.ValueType) -> str:
    return pb.ArtifactType.Name(kind).removeprefix(_PREFIX).lower()
