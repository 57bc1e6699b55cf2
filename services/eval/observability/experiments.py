"""Experiments and their runs in the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Table, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from llamastack.observability.v1 import experiment_pb2 as pb
from mesh.errors import ResourceNotFound
from mesh.ids import new_id
from mesh.storage import Storage
from services.eval.observability import keys, members
from services.eval.observability.members import Owner
from services.eval.observability.tables import EXPERIMENTS, RUNS

EXPERIMENT: Final = "experiment"
RUN: Final = "run"
_RUNNING: Final = "running"


class Experiments:
    """Makes, finds and changes the experiments and runs of all tenants. ``clock`` gives Unix seconds."""

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        """Keep the database."""
        self._storage = storage
        self._clock = clock

    async def create(self, tenant: str, request: pb.CreateExperimentRequest) -> pb.Experiment:
        """Make an experiment."""
        now = self._clock()
        made = pb.Experiment(
            id=new_id(self._clock),
            name=request.name,
            status=pb.EXPERIMENT_STATUS_NOT_STARTED,
            created_at=keys.timestamp(now),
            updated_at=keys.timestamp(now),
            metadata=request.metadata,
        )
        async with self._storage.writing() as session:
            row = {**_experiment_row(made), "id": made.id, "tenant": tenant, "created_at": now}
            await session.execute(EXPERIMENTS.insert().values(row))
            await members.add(session, {Owner(tenant, EXPERIMENT, made.id): made.metadata})
        return made

    async def get(self, tenant: str, experiment_id: str) -> pb.Experiment:
        """Return an experiment.

        Raises:
            ResourceNotFound: the tenant has none of that id.
        """
        async with self._storage.reading() as session:
            return await _experiment(session, tenant, experiment_id)

    async def page(
        self, tenant: str, request: pb.ListExperimentsRequest, after: tuple[float, str] | None, size: int
    ) -> Sequence[tuple[float, pb.Experiment]]:
        """Return up to ``size`` experiments that a search finds with the time of their making, newest first."""
        table = EXPERIMENTS
        query = select(table.c.created_at, table.c.data).where(
            table.c.tenant == tenant, *members.equal(tenant, EXPERIMENT, table.c.id, request.filters)
        )
        if request.query:
            query = query.where(table.c.name.contains(keys.folded(request.query), autoescape=True))
        if request.status:
            query = query.where(table.c.status == _word(request.status))
        if after is not None:
            query = query.where(tuple_(table.c.created_at, table.c.id) < after)
        query = query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(size)
        async with self._storage.reading() as session:
            rows = (await session.execute(query)).all()
        return [(created_at, pb.Experiment.FromString(data)) for created_at, data in rows]

    async def update(self, tenant: str, request: pb.UpdateExperimentRequest) -> pb.Experiment:
        """Change an experiment.

        Raises:
            ResourceNotFound: the tenant has none of that id.
            InvalidField: it would have too much metadata.
        """
        async with self._storage.writing() as session:
            known = await _experiment(session, tenant, request.experiment_id, lock=True)
            if request.status:
                known.status = request.status
            members.merge(known.metadata, request.metadata)
            await self._write(session, tenant, known)
        return known

    async def create_run(self, tenant: str, request: pb.CreateRunRequest) -> pb.Run:
        """Make a run; the first one sets its experiment running.

        Raises:
            ResourceNotFound: the tenant has no such experiment.
        """
        now = self._clock()
        async with self._storage.writing() as session:
            experiment = await _experiment(session, tenant, request.experiment_id, lock=True)
            made = pb.Run(
                id=new_id(self._clock),
                experiment_id=experiment.id,
                status=_RUNNING,
                started_at=keys.timestamp(now),
                metadata=request.metadata,
            )
            row = {**_run_row(made), "id": made.id, "tenant": tenant, "experiment": experiment.id, "started_at": now}
            await session.execute(RUNS.insert().values(row))
            await members.add(session, {Owner(tenant, RUN, made.id): made.metadata})
            if experiment.status == pb.EXPERIMENT_STATUS_NOT_STARTED:
                experiment.status = pb.EXPERIMENT_STATUS_RUNNING
            await self._write(session, tenant, experiment)
        return made

    async def get_run(self, tenant: str, run_id: str) -> pb.Run:
        """Return a run.

        Raises:
            ResourceNotFound: the tenant has none of that id.
        """
        async with self._storage.reading() as session:
            return await _run(session, tenant, run_id)

    async def run_page(
        self, tenant: str, request: pb.ListRunsRequest, after: tuple[float, str] | None, size: int
    ) -> Sequence[tuple[float, pb.Run]]:
        """Return up to ``size`` runs that a search finds with the time of their making, newest first.

        Raises:
            ResourceNotFound: the tenant has no such experiment.
        """
        table = RUNS
        query = select(table.c.started_at, table.c.data).where(
            table.c.tenant == tenant, *members.equal(tenant, RUN, table.c.id, request.filters)
        )
        if request.HasField("experiment_id"):
            query = query.where(table.c.experiment == keys.exact(request.experiment_id))
        if request.HasField("status"):
            query = query.where(table.c.status == keys.exact(request.status))
        if after is not None:
            query = query.where(tuple_(table.c.started_at, table.c.id) < after)
        query = query.order_by(table.c.started_at.desc(), table.c.id.desc()).limit(size)
        async with self._storage.reading() as session:
            if request.HasField("experiment_id"):
                await _experiment(session, tenant, request.experiment_id)
            rows = (await session.execute(query)).all()
        return [(started_at, pb.Run.FromString(data)) for started_at, data in rows]

    async def update_run(self, tenant: str, request: pb.UpdateRunRequest) -> pb.Run:
        """Change a run.

        Raises:
            ResourceNotFound: the tenant has none of that id.
            InvalidField: its end is no time, or it would have too much metadata.
        """
        async with self._storage.writing() as session:
            known = await _run(session, tenant, request.run_id, lock=True)
            if request.HasField("status"):
                known.status = request.status
            if request.HasField("ended_at"):
                keys.moment(request.ended_at, "ended_at")
                known.ended_at.CopyFrom(request.ended_at)
            members.merge(known.metadata, request.metadata)
            await session.execute(update(RUNS).where(RUNS.c.id == known.id).values(_run_row(known)))
            await members.replace(session, {Owner(tenant, RUN, known.id): known.metadata})
        return known

    async def _write(self, session: AsyncSession, tenant: str, known: pb.Experiment) -> None:
        known.updated_at.CopyFrom(keys.timestamp(self._clock()))
        await session.execute(update(EXPERIMENTS).where(EXPERIMENTS.c.id == known.id).values(_experiment_row(known)))
        await members.replace(session, {Owner(tenant, EXPERIMENT, known.id): known.metadata})


async def _experiment(session: AsyncSession, tenant: str, uid: str, *, lock: bool = False) -> pb.Experiment:
    return pb.Experiment.FromString(await _data(session, EXPERIMENTS, (tenant, uid, EXPERIMENT), lock))


async def _run(session: AsyncSession, tenant: str, uid: str, *, lock: bool = False) -> pb.Run:
    return pb.Run.FromString(await _data(session, RUNS, (tenant, uid, RUN), lock))


async def _data(session: AsyncSession, table: Table, which: tuple[str, str, str], lock: bool) -> bytes:
    tenant, uid, kind = which
    query = select(table.c.data).where(table.c.id == keys.exact(uid), table.c.tenant == tenant)
    found = (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()
    if found is None:
        raise ResourceNotFound(kind, uid)
    return bytes(found)


def _experiment_row(known: pb.Experiment) -> dict[str, Any]:
    return {"name": keys.folded(known.name), "status": _word(known.status), "data": known.SerializeToString()}


def _run_row(known: pb.Run) -> dict[str, Any]:
    return {"status": keys.exact(known.status), "data": known.SerializeToString()}


def _word(status: pb.ExperimentStatus.ValueType) -> str:
    return pb.ExperimentStatus.Name(status).removeprefix("EXPERIMENT_STATUS_").lower()
