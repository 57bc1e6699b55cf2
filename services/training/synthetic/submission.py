"""Generation jobs as their callers see them: submitted, listed, followed, cancelled, and tidied away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from llamastack.synthetic_data_generation.v1 import job_pb2 as pb
from mesh.errors import MeshError, ResourceNotFound
from mesh.identity import Identity, acting_as
from mesh.jobs.job import Job, Request, State
from mesh.jobs.store import JobStore
from mesh.jobs.worker import Worker
from services.training.datasets.library import Library
from services.training.synthetic.generation import Generation
from services.training.synthetic.jobs import KIND, holder_of, plan_of
from services.training.synthetic.journal import Journal, Line, Which
from services.training.synthetic.prompts import column_of
from services.training.synthetic.reporting import Runs

_LINES: Final = 1000
_DEFAULT_LINES: Final = 10_000
_PAGE: Final = 100
_LOOK_S: Final = 0.5
_TIDY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Desk:
    """What jobs are submitted with."""

    store: JobStore
    worker: Worker
    journal: Journal
    library: Library
    generation: Generation
    runs: Runs


class Submission:
    """The generation jobs of all tenants. ``sleep`` is replaced in tests."""

    def __init__(self, desk: Desk, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Keep the parts."""
        self._store = desk.store
        self._worker = desk.worker
        self._journal = desk.journal
        self._library = desk.library
        self._generation = desk.generation
        self._runs = desk.runs
        self._sleep = sleep

    async def create(self, identity: Identity, request: pb.CreateSyntheticDataJobRequest) -> Job:
        """Submit a job, or return the one that the same request made.

        Raises:
            ResourceExists: another request made a job of that uuid.
            WrongState: the filtering function looks at scores, and nothing scores.
            MeshError: what reading the dataset and asking for the model raise.
        """
        body = request.SerializeToString(deterministic=True)
        asked = Request(KIND, body, identity, request.job_uuid)
        if await self._known(identity.tenant, request.job_uuid):
            return await self._store.submit(asked)
        plan = plan_of(self._generation, request)
        await self._generation.sampler.check(plan.sampling.model)
        holder = holder_of(request)
        revision = await self._library.hold(identity.tenant, holder, request.dataset)
        try:
            column_of(revision.columns)
            job = await self._store.submit(asked)
        except MeshError:
            await self._library.release(identity.tenant, holder)
            raise
        await self._journal.begin(Which(identity.tenant, job.uuid), holder)
        self._worker.wake()
        return job

    async def get(self, tenant: str, uuid: str) -> tuple[Job, str | None]:
        """Return a job, and who cancelled it.

        Raises:
            ResourceNotFound: the tenant has none of that uuid.
        """
        which = Which(tenant, uuid)
        job = await self._store.get(tenant, uuid)
        return job, (await self._journal.cancelled_by([which])).get(which)

    async def listed(
        self, tenant: str, state: State | None, after: tuple[float, str] | None, size: int
    ) -> list[tuple[Job, str | None]]:
        """Return up to ``size`` jobs in a state, newest first, after one, each with who cancelled it."""
        found: list[Job] = []
        while len(found) < size:
            page = await self._store.jobs(tenant, [KIND], size=_PAGE, after=after)
            found += [job for job in page if state is None or job.state is state]
            if len(page) < _PAGE:
                break
            after = page[-1].created_at, page[-1].uuid
        found = found[:size]
        subjects = await self._journal.cancelled_by([Which(tenant, job.uuid) for job in found])
        return [(job, subjects.get(Which(tenant, job.uuid))) for job in found]

    async def cancel(self, identity: Identity, uuid: str) -> None:
        """Cancel a job; one that has ended stays as it is.

        Raises:
            ResourceNotFound: the tenant has none of that uuid.
        """
        which = Which(identity.tenant, uuid)
        if (await self._store.get(identity.tenant, uuid)).state.final:
            return
        await self._journal.cancelled(which, identity.subject)
        await self._journal.log(which, "WARNING", f"cancelled by {identity.subject}")
        await self._store.cancel(identity.tenant, uuid)

    async def logs(self, tenant: str, request: pb.GetSyntheticDataJobLogsRequest) -> list[Line]:
        """Return the last lines of a job's log.

        Raises:
            ResourceNotFound: the tenant has no such job.
        """
        await self._store.get(tenant, request.job_uuid)
        which = Which(tenant, request.job_uuid)
        most = request.max_lines or _DEFAULT_LINES
        return await self._journal.lines(which, request.after_sequence, most, newest=True)

    async def follow(self, tenant: str, uuid: str, after: int) -> AsyncGenerator[list[Line]]:
        """Yield the lines of a job's log as it grows, until the job has ended.

        Raises:
            ResourceNotFound: the tenant has no such job.
        """
        which = Which(tenant, uuid)
        while True:
            # the state first: lines that come after it are of another round
            ended = (await self._store.get(tenant, uuid)).state.final
            while lines := await self._journal.lines(which, after, _LINES):
                yield lines
                after = lines[-1].sequence
            if ended:
                return
            await self._sleep(_LOOK_S)

    async def tidy(self) -> None:
        """Let go of what jobs that have ended held and kept, and report their ends."""
        for which, holder in await self._journal.untidy():
            job = await self._store.get(which.tenant, which.uuid)
            if job.state.final:
                known = pb.SyntheticDataJob.FromString(job.progress)
                if known.HasField("run_id"):
                    with acting_as(job.identity):
                        await self._runs.ended(known.run_id, job.state.value)
                await self._library.release(which.tenant, holder)
                await self._journal.tidy(which)

    async def keep_tidy(self) -> None:
        """Tidy up every minute, until cancelled."""
        while True:
            # when the database is away, there will be another minute
            with contextlib.suppress(MeshError):
                await self.tidy()
                await self._library.tidy(alone=False)
            await self._sleep(_TIDY_S)

    async def _known(self, tenant: str, uuid: str) -> bool:
        try:
            await self._store.get(tenant, uuid)
        except ResourceNotFound:
            return False
        return True
