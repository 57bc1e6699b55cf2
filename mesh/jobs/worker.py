"""Runs the jobs of a queue: takes them, keeps their leases, ends them; one worker per process.

A handler is an async function that gets a ``Run``. It returns the result; a MeshError that it raises makes the job
failed with that reason, anything else with INTERNAL. It is cancelled when somebody cancels the job or when the job was
given to another worker, so whatever it started has to end with it. It runs under the identity that asked for the job.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from mesh.errors import Cancelled, Internal, MeshError, WrongState, from_exception
from mesh.identity import acting_as
from mesh.jobs.job import Job
from mesh.jobs.store import JobStore

log = logging.getLogger(__name__)

Sleep: TypeAlias = Callable[[float], Awaitable[None]]


class Run:
    """A job under way, as its handler sees it."""

    def __init__(self, store: JobStore, job: Job) -> None:
        self._store = store
        self.job = job

    async def save(self, progress: bytes) -> None:
        """Save what a later owner needs to go on from here; the next one finds it in ``run.job.progress``.

        Raises:
            WrongState: the job was given to somebody else.
        """
        self.job = await self._store.save(self.job, progress)


Handler: TypeAlias = Callable[[Run], Awaitable[bytes]]


@dataclass(frozen=True)
class WorkerConfig:
    """``owner`` is unique among all workers, across restarts too. ``renew_s`` is well below the lease's seconds."""

    owner: str
    concurrency: int = 1
    poll_s: float = 2.0
    renew_s: float = 15.0


class Worker:
    """Runs up to ``concurrency`` jobs at once.

    Args:
        store: the queue.
        handlers: what to do, by the job's kind; other kinds are left to other workers.
        config: who this is and at which pace it works.
        sleep: replaced in tests.
    """

    def __init__(
        self,
        store: JobStore,
        handlers: Mapping[str, Handler],
        config: WorkerConfig,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._store = store
        self._handlers = dict(handlers)
        self._config = config
        self._sleep = sleep
        self._woken = asyncio.Event()
        self._running: dict[asyncio.Task[None], Job] = {}
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to take jobs, those that a process before this one left included."""
        self._loop = asyncio.create_task(self._take())

    def wake(self) -> None:
        """Look for jobs now, not only at the next poll; to be called after a job was stored."""
        self._woken.set()

    async def stop(self) -> None:
        """Take no more jobs, and give those that run back to be picked up by another worker."""
        tasks = [*self._running, *([self._loop] if self._loop else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._loop = None

    async def run_one(self) -> bool:
        """Take one job and run it to its end; return whether there was one."""
        job = await self._store.claim(self._config.owner, self._handlers)
        if job is None:
            return False
        await self._run(job)
        return True

    async def _take(self) -> None:
        while True:
            if len(self._running) < self._config.concurrency and (job := await self._claim()) is not None:
                task = asyncio.create_task(self._run(job))
                self._running[task] = job
                task.add_done_callback(self._ended)
            else:
                await self._idle()

    async def _claim(self) -> Job | None:
        try:
            return await self._store.claim(self._config.owner, self._handlers, [*self._running.values()])
        except MeshError as error:
            log.warning("no job can be taken now: %s", error.message)
            return None

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a job ended in a way that it should not", exc_info=error)
        self.wake()

    async def _idle(self) -> None:
        """Wait for the next poll, for a call of ``wake``, or for the end of a job."""
        waits = [asyncio.ensure_future(self._sleep(self._config.poll_s)), asyncio.ensure_future(self._woken.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._woken.clear()

    async def _run(self, job: Job) -> None:
        """Run a job to its end, whichever that is."""
        run = Run(self._store, job)
        with acting_as(job.identity):
            work = asyncio.ensure_future(self._handlers[job.kind](run))
        watch = asyncio.create_task(self._watch(job))
        try:
            await asyncio.wait((work, watch), return_when=asyncio.FIRST_COMPLETED)
            await self._conclude(run.job, work, watch)
        except asyncio.CancelledError:
            await _end(work)
            await self._give_back(run.job)
            raise
        finally:
            await _end(watch)

    async def _conclude(self, job: Job, work: asyncio.Future[bytes], watch: asyncio.Task[bool]) -> None:
        """Write down how the job ended."""
        if not work.done():
            await _end(work)
            if watch.result():
                await self._settle(job, lambda: self._store.cancelled(job))
        elif work.cancelled():
            await self._settle(job, lambda: self._store.fail(job, Cancelled("the job was interrupted")))
        elif (error := work.exception()) is not None:
            told = _told(job, error)
            await self._settle(job, lambda: self._store.fail(job, told))
        else:
            await self._settle(job, lambda: self._store.complete(job, work.result()))

    async def _settle(self, job: Job, write: Callable[[], Awaitable[Job]]) -> None:
        """Write the end of a job, however long the database is away; the lease is renewed meanwhile."""
        while True:
            try:
                await write()
            except WrongState:
                log.warning("job %s was given to another worker", job.uuid)
            except MeshError as error:
                log.warning("the end of job %s can't be written now: %s", job.uuid, error.message)
                await self._sleep(self._config.poll_s)
                continue
            return

    async def _watch(self, job: Job) -> bool:
        """Renew the lease until there is a reason to stop; return True for a wish to cancel, False for a lost lease."""
        while True:
            await self._sleep(self._config.renew_s)
            try:
                if (await self._store.renew(job)).cancel_requested:
                    return True
            except WrongState:
                log.warning("job %s was given to another worker", job.uuid)
                return False
            except MeshError as error:
                log.warning("the lease of job %s can't be renewed now: %s", job.uuid, error.message)

    async def _give_back(self, job: Job) -> None:
        try:
            await self._store.give_back(job)
        except MeshError as error:
            log.warning("job %s can't be given back: %s", job.uuid, error.message)


def _told(job: Job, error: BaseException) -> MeshError:
    """Return the error that the job's client sees; a defect is logged under its id."""
    told = from_exception(error)
    if isinstance(told, Internal):
        log.error("job %s failed, id %s", job.uuid, told.error_id, exc_info=error, extra={"error_id": told.error_id})
    return told


async def _end(task: asyncio.Future[Any]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
