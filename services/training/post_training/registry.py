"""Puts checkpoints into service: adapters onto the running model, full weights as a model of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import grpc.aio
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.evaluations.v1.evaluations_service_pb2_grpc import EvaluationsServiceStub
from llamastack.evaluations.v1.job_pb2 import ListEvaluationJobsRequest
from llamastack.models.v1.models_pb2 import LoadAdapterRequest, RegisterModelRequest
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub
from mesh.errors import BackendUnavailable, NotSupported, ResourceExists, ResourceNotFound, WrongState, from_rpc
from mesh.storage import Storage
from services.training.post_training import lineage
from services.training.post_training.places import CHECKPOINT, Places, name_of
from services.training.post_training.tables import REGISTRATIONS
from services.training.recipe.folder import JobFolder, Saved

_LOADING_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class Registered:
    """How a checkpoint is served; ``base_model`` is None for full weights."""

    model_id: str
    base_model: str | None
    job_uuid: str
    saved: Saved


class Serving(Protocol):
    """The models of the mesh, as far as they can be changed."""

    async def load_adapter(self, model_id: str, base: str, saved: Saved, about: dict[str, JsonValue]) -> None:
        """Load an adapter onto a running model.

        Raises:
            MeshError: what inference says.
        """
        ...

    async def register(self, model_id: str, saved: Saved, about: dict[str, JsonValue]) -> None:
        """Serve full weights, and return when they answer.

        Raises:
            MeshError: what inference says.
        """
        ...


class InferenceServing:
    """The models of the inference service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = ModelsServiceStub(channel)

    async def load_adapter(self, model_id: str, base: str, saved: Saved, about: dict[str, JsonValue]) -> None:
        """Load an adapter; see :class:`Serving`."""
        request = LoadAdapterRequest(model_id=base, adapter_id=model_id, source=str(saved.path), metadata=about)
        await self._call(self._stub.LoadAdapter, request)

    async def register(self, model_id: str, saved: Saved, about: dict[str, JsonValue]) -> None:
        """Serve full weights; see :class:`Serving`."""
        request = RegisterModelRequest(model_id=model_id, source=str(saved.path), metadata=about)
        await self._call(self._stub.RegisterModel, request)

    async def _call(self, method: Any, request: Any) -> None:
        try:
            await method(request, timeout=_LOADING_S)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error


class Evaluations:
    """The jobs of the evaluations service that judged a checkpoint."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = EvaluationsServiceStub(channel)

    async def of(self, checkpoint_id: str) -> list[str]:
        """Return the ids of the jobs, newest first; none while the service can't be reached.

        Raises:
            MeshError: what the service says otherwise.
        """
        request = ListEvaluationJobsRequest(checkpoint_id=checkpoint_id, page_size=1000)
        try:
            return [job.job_uuid for job in (await self._stub.ListJobs(request, timeout=10.0)).jobs]
        except grpc.aio.AioRpcError as error:
            told = from_rpc(error)
            if isinstance(told, BackendUnavailable | NotSupported):
                return []
            raise told from error


class Registry:
    """Knows which checkpoint is served under which id; ``clock`` gives Unix seconds."""

    def __init__(self, storage: Storage, places: Places, serving: Serving, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._places = places
        self._serving = serving
        self._clock = clock

    async def register(self, tenant: str, checkpoint_id: str, model_id: str, base: str | None) -> Registered:
        """Put a checkpoint into service; the same one again changes nothing.

        Raises:
            ResourceNotFound: the tenant has no such checkpoint.
            ResourceExists: the id stands for another one.
            WrongState: the adapter's base is not served.
            MeshError: what inference says.
        """
        job_uuid, saved = await asyncio.to_thread(self._places.checkpoint, tenant, checkpoint_id)
        known = await self._known(tenant, model_id)
        if known is not None and known != checkpoint_id:
            raise ResourceExists("model", model_id)
        origin = await asyncio.to_thread(lineage.read, saved.path.parent.parent)
        about = {
            name: JsonValue(string_value=value)
            for name, value in {
                "checkpoint_id": checkpoint_id,
                "job_uuid": job_uuid,
                "base_model": origin.model,
                "dataset_revision": origin.dataset.revision or origin.dataset.content_hash,
                "code_version": origin.code_version,
            }.items()
        }
        target = self._base(origin, base) if saved.adapter else None
        if target is not None:
            await self._serving.load_adapter(model_id, target, saved, about)
        else:
            await self._serving.register(model_id, saved, about)
        await self._remember(tenant, model_id, checkpoint_id)
        return Registered(model_id, target, job_uuid, saved)

    async def models(self, tenant: str, checkpoint_id: str) -> list[str]:
        """Return the ids under which a checkpoint was served, oldest first."""
        query = select(REGISTRATIONS.c.model_id).where(
            REGISTRATIONS.c.tenant == tenant, REGISTRATIONS.c.checkpoint_id == checkpoint_id
        )
        async with self._storage.reading() as session:
            return list((await session.execute(query.order_by(REGISTRATIONS.c.registered_at))).scalars())

    async def latest(self, folder: JobFolder, uuid: str) -> str:
        """Return the id of the last checkpoint of a job.

        Raises:
            ResourceNotFound: it has none yet.
        """
        known = await asyncio.to_thread(folder.checkpoints)
        if not known:
            raise ResourceNotFound(CHECKPOINT, uuid, f"job {uuid!r} has no checkpoint yet")
        return name_of(known[-1].path)

    def _base(self, origin: lineage.Origin, asked: str | None) -> str:
        if origin.merged:
            raise WrongState("the adapter was trained on top of another one, so no served model is its base")
        if asked is None and origin.served is None:
            raise WrongState("base_model: the job began with files, not with a served model, so it has to be named")
        return asked or str(origin.served)

    async def _known(self, tenant: str, model_id: str) -> str | None:
        query = select(REGISTRATIONS.c.checkpoint_id).where(
            REGISTRATIONS.c.tenant == tenant, REGISTRATIONS.c.model_id == model_id
        )
        async with self._storage.reading() as session:
            found: str | None = (await session.execute(query)).scalar_one_or_none()
        return found

    async def _remember(self, tenant: str, model_id: str, checkpoint_id: str) -> None:
        row = {
            "tenant": tenant,
            "model_id": model_id,
            "checkpoint_id": checkpoint_id,
            "registered_at": self._clock(),
        }
        try:
            async with self._storage.writing() as session:
                await session.execute(REGISTRATIONS.insert().values(row))
        except IntegrityError as error:
            if await self._known(tenant, model_id) != checkpoint_id:
                raise ResourceExists("model", model_id) from error
