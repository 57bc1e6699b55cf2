"""The rows that jobs learn from: held while a job waits or runs, let go of with its end, taken again when it resumes.

A job that is over holds nothing, so a dataset that is deleted afterwards is gone with its files. What is known of its
rows stays in the job's origin: ids and a hash.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import sha256
from typing import Final

from llamastack.common.v1.content_pb2 import Url
from llamastack.datasets.v1.dataset_pb2 import TrainEvalDataset
from mesh.errors import InvalidField, ResourceNotFound, WrongState
from mesh.jobs.job import Job
from mesh.jobs.store import JobStore
from services.training.post_training import lineage
from services.training.post_training.lineage import Source
from services.training.post_training.places import Places
from services.training.post_training.submitted import request_of
from services.training.recipe import spec as recipe
from services.training.recipe.spec import Rows
from services.training.revisions import LocalRevision, Revisions

_PREFIX: Final = "post_training/"
_STORED: Final = "dataset:"
_FIELDS: Final = ("dataset", "validation_dataset")


def holders(uuid: str, body: bytes) -> tuple[str, str]:
    """Return who holds the two datasets of a job."""
    name = f"{_PREFIX}{uuid}/{sha256(body).hexdigest()[:16]}"
    return f"{name}/dataset", f"{name}/validation_dataset"


class Holdings:
    """Takes the rows of jobs and lets go of them."""

    def __init__(self, store: JobStore, revisions: Revisions, places: Places) -> None:
        self._store = store
        self._revisions = revisions
        self._places = places

    async def take(self, job: Job) -> None:
        """Have a job hold its rows, and write down where they are; nothing changes if it holds them.

        Raises:
            WrongState: they are gone, or the place that they came from has other ones now.
            MeshError: what reading them raises.
        """
        origin = await asyncio.to_thread(lineage.read, self._places.of(job).path)
        request = request_of(job)
        sources = (origin.dataset, origin.validation)
        taken = [
            None if known is None else await self._taken(job, holder, field, getattr(request, field), known)
            for holder, field, known in zip(holders(job.uuid, job.body), _FIELDS, sources, strict=True)
        ]
        await asyncio.to_thread(self._write, job, *taken)

    async def release(self, job: Job) -> None:
        """Let go of the rows of a job."""
        for holder in holders(job.uuid, job.body):
            await self._revisions.release(job.identity.tenant, holder)

    async def sweep(self, *, alone: bool) -> None:
        """Let go of the rows of all jobs that are over; ``alone`` says that no other process takes jobs in.

        What may still run of such a job, as its owner died before it could stop it, stops with its next step.
        """
        for tenant, holder in await self._revisions.held_by(_PREFIX):
            uuid = holder.removeprefix(_PREFIX).rsplit("/", 2)[0]
            try:
                job = await self._store.get(tenant, uuid)
            except ResourceNotFound:
                # held for a job that was never stored; elsewhere it may be about to be
                if alone:
                    await self._revisions.release(tenant, holder)
                continue
            if job.state.final:
                await asyncio.to_thread(self._places.of(job).stop)
                await self._revisions.release(tenant, holder)

    async def _taken(self, job: Job, holder: str, field: str, asked: TrainEvalDataset, known: Source) -> LocalRevision:
        tenant = job.identity.tenant
        try:
            found = await self._revisions.hold(tenant, holder, _same(asked, known), field)
        except (ResourceNotFound, InvalidField) as error:
            raise WrongState(f"{field}: the rows that the job began with are gone; {error.message}") from error
        if found.content_hash != known.content_hash:
            await self._revisions.release(tenant, holder)
            raise WrongState(f"{field}: there are other rows now than those that the job began with")
        return found

    def _write(self, job: Job, learnt: LocalRevision | None, watched: LocalRevision | None) -> None:
        folder = self._places.of(job)
        known = recipe.read(folder.spec())
        assert learnt is not None
        validation = None
        if known.validation is not None and watched is not None:
            validation = _placed(known.validation, watched)
        made = replace(known, rows=_placed(known.rows, learnt), validation=validation)
        if made != known:
            folder.write_spec(recipe.write(made))


def files(revision: LocalRevision) -> tuple[str, ...]:
    """Return where the rows of a revision are, as :class:`Rows` has it."""
    return tuple(str(shard.path.absolute()) for shard in revision.shards)


def _placed(rows: Rows, revision: LocalRevision) -> Rows:
    return replace(rows, files=files(revision))


def _same(asked: TrainEvalDataset, known: Source) -> TrainEvalDataset:
    """Return a dataset of a request as the revision that it stood for when the job was taken in."""
    if known.dataset_uuid is None:
        return asked
    made = TrainEvalDataset()
    made.CopyFrom(asked)
    made.content_url.CopyFrom(Url(uri=f"{_STORED}{known.dataset_uuid}@{known.revision}"))
    return made
