"""Keeps jobs in the database; every change of state goes through here.

An owner holds a job by a lease that it renews. Each change that an owner makes is bound to its name and attempt, so
that one that was taken for dead and replaced can't write any more. ``clock`` is Unix seconds; the clocks of replicas
may differ by a small part of a lease.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from mesh.errors import MeshError, ResourceExists, ResourceNotFound, WrongState
from mesh.ids import new_id
from mesh.jobs.job import Job, Request, State, check_transition
from mesh.jobs.table import JOBS, job_of, new_row
from mesh.migrations import Migrations
from mesh.storage import Storage

MIGRATIONS: Final = Migrations("jobs", Path(__file__).parent / "migrations")
"""To be run by every service that has jobs, before its own."""

_CANDIDATES: Final = 8


@dataclass(frozen=True)
class Lease:
    """How owners hold jobs: for ``seconds`` unless renewed, and at most ``attempts`` owners one after the other."""

    seconds: float = 60.0
    attempts: int = 3


class JobStore:
    """The jobs of one queue (a service, usually) in a database that other queues may share."""

    def __init__(
        self, storage: Storage, queue: str, lease: Lease | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._storage = storage
        self._queue = queue
        self._lease = lease or Lease()
        self._clock = clock

    async def submit(self, request: Request) -> Job:
        """Store a job as scheduled and return it.

        A request with the uuid of a job of the same tenant is the same request again if kind and body are the same,
        and gets that job as it is now.

        Raises:
            ResourceExists: the tenant has a job of that uuid with another kind or body.
        """
        uuid = request.uuid or new_id(self._clock)
        job = Job(uuid, request.kind, State.SCHEDULED, request.identity, request.body, created_at=self._clock())
        digest = sha256(request.body).hexdigest()
        try:
            async with self._storage.writing() as session:
                await session.execute(JOBS.insert().values(new_row(self._queue, job, digest)))
        except IntegrityError:
            return await self._same(job, digest)
        return job

    async def get(self, tenant: str, uuid: str) -> Job:
        """Return a job of a tenant.

        Raises:
            ResourceNotFound: the tenant has none of that uuid.
        """
        async with self._storage.reading() as session:
            return job_of(await self._row(session, tenant, uuid))

    async def jobs(
        self,
        tenant: str,
        kinds: Collection[str],
        *,
        size: int = 100,
        after: tuple[float, str] | None = None,
        states: Collection[State] = tuple(State),
    ) -> list[Job]:
        """Return up to ``size`` jobs of a tenant, newest first, after one by its ``created_at`` and uuid."""
        query = self._query().where(JOBS.c.tenant == tenant, JOBS.c.kind.in_(kinds))
        query = query.where(JOBS.c.state.in_([state.value for state in states]))
        if after is not None:
            query = query.where(tuple_(JOBS.c.created_at, JOBS.c.uuid) < after)
        query = query.order_by(JOBS.c.created_at.desc(), JOBS.c.uuid.desc()).limit(size)
        async with self._storage.reading() as session:
            return [job_of(row) for row in (await session.execute(query)).mappings()]

    async def waiting(self, kinds: Collection[str]) -> int:
        """Return how many jobs of all tenants wait for an owner."""
        query = select(func.count()).where(
            JOBS.c.queue == self._queue, JOBS.c.kind.in_(kinds), JOBS.c.state == State.SCHEDULED.value
        )
        async with self._storage.reading() as session:
            return int((await session.execute(query)).scalar_one())

    async def resume(self, tenant: str, uuid: str, progress: bytes | None = None) -> Job:
        """Have a failed or cancelled job wait for an owner again, with what it saved or with ``progress`` instead.

        A job that waits or runs stays as it is.

        Raises:
            ResourceNotFound: the tenant has none of that uuid.
            WrongState: the job is completed.
        """
        async with self._storage.writing() as session:
            job = job_of(await self._row(session, tenant, uuid, lock=True))
            if job.state.final:
                changed = {"attempt": 0, "cancel_requested": False, "error_reason": "", "error_message": ""}
                saved = job.progress if progress is None else progress
                await self._change(session, job, State.SCHEDULED, finished_at=None, progress=saved, **changed)
            return job_of(await self._row(session, tenant, uuid))

    async def cancel(self, tenant: str, uuid: str) -> Job:
        """Cancel a job: at once if it waits, through its owner if it runs; a job that is over stays as it is.

        Raises:
            ResourceNotFound: the tenant has none of that uuid.
        """
        async with self._storage.writing() as session:
            job = job_of(await self._row(session, tenant, uuid, lock=True))
            if job.state is State.SCHEDULED:
                await self._change(session, job, State.CANCELLED, finished_at=self._clock(), cancel_requested=True)
            elif job.state is State.RUNNING:
                await session.execute(update(JOBS).where(self._is(job)).values(cancel_requested=True))
            return job_of(await self._row(session, tenant, uuid))

    async def claim(self, owner: str, kinds: Collection[str], held: Collection[Job] = ()) -> Job | None:
        """Take the oldest job that waits or whose owner's lease is over; None if there is none.

        A job whose owners all died becomes failed instead. ``held`` are those that the owner runs: it knows that they
        are not abandoned, however late it renews their leases, and would run what it took from itself twice.
        """
        now = self._clock()
        abandoned = and_(JOBS.c.state == State.RUNNING.value, JOBS.c.lease_until < now)
        free = or_(JOBS.c.state == State.SCHEDULED.value, abandoned)
        # what is over is the most by far; by this alone the index leaves it out
        under_way = JOBS.c.state.in_([State.SCHEDULED.value, State.RUNNING.value])
        query = self._query().where(JOBS.c.kind.in_(kinds), under_way, free)
        if held:
            keys = [(job.identity.tenant, job.uuid) for job in held]
            query = query.where(tuple_(JOBS.c.tenant, JOBS.c.uuid).not_in(keys))
        query = query.order_by(JOBS.c.created_at).limit(_CANDIDATES)
        # on PostgreSQL replicas skip each other's candidates; SQLite has one writer at a time anyway
        query = query.with_for_update(skip_locked=True)
        async with self._storage.writing() as session:
            for row in (await session.execute(query)).mappings().all():
                job = job_of(row)
                if job.state is State.RUNNING:
                    job = await self._abandon(session, job)
                if job.state is State.SCHEDULED:
                    return await self._take(session, job, owner)
        return None

    async def renew(self, job: Job) -> Job:
        """Renew the lease of a job that the caller owns and return the job; it tells of a wish to cancel.

        Raises:
            WrongState: the caller does not own the job any more and has to drop it.
        """
        async with self._storage.writing() as session:
            return await self._owned(session, job, lease_until=self._clock() + self._lease.seconds)

    async def save(self, job: Job, progress: bytes) -> Job:
        """Save what a later owner needs to go on from here, and renew the lease.

        Raises:
            WrongState: the caller does not own the job any more and has to drop it.
        """
        until = self._clock() + self._lease.seconds
        async with self._storage.writing() as session:
            return await self._owned(session, job, progress=progress, lease_until=until)

    async def complete(self, job: Job, result: bytes = b"") -> Job:
        """End a job well.

        Raises:
            WrongState: the caller does not own the job any more.
        """
        return await self._end(job, State.COMPLETED, result=result)

    async def fail(self, job: Job, error: MeshError) -> Job:
        """End a job with an error.

        Raises:
            WrongState: the caller does not own the job any more.
        """
        return await self._end(job, State.FAILED, error_reason=error.reason_name(), error_message=error.message)

    async def cancelled(self, job: Job) -> Job:
        """End a job because somebody asked to cancel it.

        Raises:
            WrongState: the caller does not own the job any more.
        """
        return await self._end(job, State.CANCELLED)

    async def give_back(self, job: Job) -> Job:
        """Let another owner go on with a job; this attempt does not count.

        Raises:
            WrongState: the caller does not own the job any more.
        """
        async with self._storage.writing() as session:
            return await self._owned(session, job, State.SCHEDULED, owner=None, lease_until=None)

    async def _end(self, job: Job, state: State, **values: Any) -> Job:
        async with self._storage.writing() as session:
            return await self._owned(
                session, job, state, finished_at=self._clock(), owner=None, lease_until=None, **values
            )

    async def _same(self, wanted: Job, digest: str) -> Job:
        """Return the stored job of the same uuid if it is the same request."""
        async with self._storage.reading() as session:
            row = await self._row(session, wanted.identity.tenant, wanted.uuid)
        if row["kind"] != wanted.kind or row["body_sha256"] != digest:
            raise ResourceExists("job", wanted.uuid)
        return job_of(row)

    async def _take(self, session: AsyncSession, job: Job, owner: str) -> Job:
        now = self._clock()
        await self._change(
            session,
            job,
            State.RUNNING,
            owner=owner,
            attempt=job.attempt + 1,
            lease_until=now + self._lease.seconds,
            started_at=job.started_at or now,
        )
        return job_of(await self._row(session, job.identity.tenant, job.uuid))

    async def _abandon(self, session: AsyncSession, job: Job) -> Job:
        """Take a job from an owner whose lease is over."""
        if job.cancel_requested:
            await self._change(session, job, State.CANCELLED, finished_at=self._clock(), owner=None, lease_until=None)
        elif job.attempt >= self._lease.attempts:
            await self._change(
                session,
                job,
                State.FAILED,
                finished_at=self._clock(),
                owner=None,
                lease_until=None,
                error_reason="BACKEND_UNAVAILABLE",
                error_message=f"the process that ran the job was lost {job.attempt} times",
            )
        else:
            await self._change(session, job, State.SCHEDULED, owner=None, lease_until=None)
        return job_of(await self._row(session, job.identity.tenant, job.uuid))

    async def _owned(self, session: AsyncSession, job: Job, state: State | None = None, **values: Any) -> Job:
        """Change a job on behalf of its owner."""
        now = job_of(await self._row(session, job.identity.tenant, job.uuid, lock=True))
        if now.state is not State.RUNNING or (now.owner, now.attempt) != (job.owner, job.attempt):
            raise WrongState(f"job {job.uuid!r} is not {job.owner}'s any more", metadata={"state": now.state.value})
        if state is State.SCHEDULED:
            values["attempt"] = now.attempt - 1
        if state is None:
            await session.execute(update(JOBS).where(self._is(now)).values(**values))
        else:
            await self._change(session, now, state, **values)
        return job_of(await self._row(session, job.identity.tenant, job.uuid))

    async def _change(self, session: AsyncSession, job: Job, state: State, **values: Any) -> None:
        """Bring a job into another state; the one place that does.

        Raises:
            WrongState: the machine has no such arrow, or the job is in another state by now.
        """
        check_transition(job.uuid, job.state, state)
        guard = and_(self._is(job), JOBS.c.state == job.state.value, JOBS.c.attempt == job.attempt)
        done = await session.execute(update(JOBS).where(guard).values(state=state.value, **values))
        if done.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE's result has it
            raise WrongState(f"job {job.uuid!r} is not {job.state} any more")

    async def _row(self, session: AsyncSession, tenant: str, uuid: str, *, lock: bool = False) -> Any:
        query = self._query().where(JOBS.c.tenant == tenant, JOBS.c.uuid == uuid)
        found = (await session.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
        if found is None:
            raise ResourceNotFound("job", uuid)
        return found

    def _query(self) -> Select[Any]:
        return select(JOBS).where(JOBS.c.queue == self._queue)

    def _is(self, job: Job) -> ColumnElement[bool]:
        return and_(JOBS.c.queue == self._queue, JOBS.c.tenant == job.identity.tenant, JOBS.c.uuid == job.uuid)
