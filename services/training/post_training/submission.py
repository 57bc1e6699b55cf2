"""Accepting a job: everything that could refuse it is asked before it is stored."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256

from llamastack.datasets.v1.dataset_pb2 import TrainEvalDataset
from mesh.errors import InvalidField, Overloaded, ResourceExists, ResourceNotFound, WrongState
from mesh.identity import Identity
from mesh.jobs.job import Job, Request
from mesh.jobs.store import JobStore
from services.training.cluster.cluster import Capacity, Cluster
from services.training.post_training import columns, rewarding
from services.training.post_training.bases import Bases, Found, check_modules, speaks
from services.training.post_training.holdings import files, holders
from services.training.post_training.lineage import Origin, code_version, source
from services.training.post_training.places import Places
from services.training.post_training.reporting import Experiments
from services.training.post_training.requests import Asked, Trackers, Wanted, kind_of, wanted
from services.training.post_training.rewarding import Rewards
from services.training.post_training.submitted import JOB_KINDS, PREFIX
from services.training.recipe import spec as recipe
from services.training.recipe.folder import JobFolder
from services.training.recipe.spec import Caller, Kind, Rows, Spec, steps_of
from services.training.revisions import ColumnType, LocalRevision, Revisions


@dataclass(frozen=True, slots=True)
class Parts:
    """What a submission asks.

    The queue, the models, the datasets, the cluster, the folders, where metrics may go, who scores answers and who
    keeps experiments.
    """

    store: JobStore
    bases: Bases
    revisions: Revisions
    cluster: Cluster
    places: Places
    trackers: Trackers
    rewards: Rewards
    experiments: Experiments


@dataclass(frozen=True, slots=True)
class _Data:
    rows: Rows
    revision: LocalRevision
    url: str


class Submission:
    """Takes jobs in; ``max_waiting`` of all tenants may wait."""

    def __init__(self, parts: Parts, max_waiting: int) -> None:
        self._parts = parts
        self._max_waiting = max_waiting

    async def submit(self, caller: Identity, request: Asked) -> Job:
        """Store a job, or return the one that the same request made before.

        Raises:
            ResourceExists: the job_uuid belongs to another request.
            Overloaded: too many jobs wait.
            MeshError: why the job could not run.
        """
        body = request.SerializeToString(deterministic=True)
        made = Request(f"{PREFIX}{kind_of(request).value}", body, caller, request.job_uuid)
        with suppress(ResourceNotFound):
            known = await self._parts.store.get(caller.tenant, request.job_uuid)
            if (known.kind, known.body) != (made.kind, body):
                raise ResourceExists("job", request.job_uuid)
            return known
        if await self._parts.store.waiting(JOB_KINDS) >= self._max_waiting:
            raise Overloaded("too many training jobs wait", retry_after_s=60.0)
        await self._prepare(caller, request, body)
        return await self._parts.store.submit(made)

    async def _prepare(self, caller: Identity, request: Asked, body: bytes) -> None:
        """Find model and rows, check what can be checked, and write the job's folder."""
        asked = await asyncio.to_thread(wanted, request, self._parts.trackers)
        if asked.experiment is not None:
            await self._parts.experiments.check(asked.experiment)
        field = "finetuned_model" if asked.kind is Kind.DPO else "model"
        found = await self._parts.bases.find(caller.tenant, asked.model, field)
        if asked.adapter is not None:
            algorithm = "algorithm_config" if asked.kind is Kind.SFT else "lora_config"
            field = f"{algorithm}.lora_attn_modules"
            await asyncio.to_thread(check_modules, found.base, asked.adapter.modules, field)
        asked = await self._placed(asked)
        mine = holders(request.job_uuid, body)
        try:
            learnt = await self._data(caller.tenant, mine[0], asked, asked.dataset, "dataset")
            watched = None
            if asked.validation is not None:
                watched = await self._data(caller.tenant, mine[1], asked, asked.validation, "validation_dataset")
            _check_speech(found, learnt)
            if asked.reinforcement is not None:
                await self._parts.rewards.check(asked.reinforcement.reward, learnt.rows)
            spec = _spec(caller, request.job_uuid, asked, found, learnt, watched)
        except BaseException:
            await self._release(caller.tenant, mine)
            raise
        origin = Origin(
            model=asked.model,
            served=found.served,
            merged=found.base.adapter is not None,
            parent=found.parent,
            dataset=source(learnt.revision, learnt.url),
            validation=None if watched is None else source(watched.revision, watched.url),
            code_version=code_version(),
            config_hash=sha256(body).hexdigest(),
            steps=steps_of(spec, learnt.rows.count),
            experiment=asked.experiment,
        )
        folder = self._parts.places.folder(caller.tenant, request.job_uuid, body)
        await asyncio.to_thread(self._write, folder, request.job_uuid, spec, origin)

    def _write(self, folder: JobFolder, uuid: str, spec: Spec, origin: Origin) -> None:
        self._parts.places.claim(folder, uuid)
        origin.write(folder.path)
        folder.write_spec(recipe.write(spec))

    async def _release(self, tenant: str, holding: tuple[str, str]) -> None:
        for holder in holding:
            await self._parts.revisions.release(tenant, holder)

    async def _data(self, tenant: str, holder: str, asked: Wanted, dataset: TrainEvalDataset, path: str) -> _Data:
        revision = await self._parts.revisions.hold(tenant, holder, dataset, path)
        if revision.num_rows == 0:
            raise InvalidField(path, "a dataset with at least one row")
        compares = asked.reinforcement is not None and rewarding.compares(asked.reinforcement.reward)
        parts = columns.parts(asked.kind, revision.columns, path, reference=compares)
        return _Data(Rows(files(revision), revision.num_rows, parts), revision, dataset.content_url.uri)

    async def _placed(self, asked: Wanted) -> Wanted:
        """Return what was asked for with the GPUs of a worker settled.

        Raises:
            WrongState: the cluster has less than the workers need.
        """
        has = await self._parts.cluster.capacity()
        gpus = asked.gpus if asked.gpus is not None else (1.0 if has.gpus else 0.0)
        workers = replace(asked.workers, gpus=gpus)
        _check_capacity(workers, has)
        return replace(asked, workers=workers)


def _check_capacity(workers: recipe.Workers, has: Capacity) -> None:
    for name, each, there in (("cpus", workers.cpus, has.cpus), ("gpus", workers.gpus, has.gpus)):
        if there is not None and workers.count * each > there:
            raise WrongState(
                f"options.{name}_per_worker: {workers.count} workers with {each:g} {name} each "
                f"need more than the {there:g} {name} of the cluster"
            )


def _check_speech(found: Found, learnt: _Data) -> None:
    """Make sure that dialogs can be written as the model reads them."""
    parts, types = learnt.rows.parts, learnt.revision.columns
    if any(types[name] is ColumnType.DIALOG for name in parts.values()) and not speaks(found.base):
        raise WrongState("the model has no chat template, so it can't learn dialogs; texts it can")


def _spec(caller: Identity, uuid: str, asked: Wanted, found: Found, learnt: _Data, watched: _Data | None) -> Spec:
    return Spec(
        job=uuid,
        kind=asked.kind,
        base=found.base,
        rows=learnt.rows,
        validation=None if watched is None else watched.rows,
        optimizer=asked.optimizer,
        loop=asked.loop,
        adapter=asked.adapter,
        workers=asked.workers,
        preference=asked.preference,
        reinforcement=asked.reinforcement,
        loggers=asked.loggers,
        search=asked.search,
        caller=Caller(caller.subject, caller.tenant, tuple(sorted(caller.scopes))),
    )
