"""The jobs of training as their clients handle them: look at, follow, cancel and resume them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from mesh.errors import MeshError, ResourceNotFound
from mesh.jobs.job import Job, State
from mesh.jobs.store import JobStore
from services.training.post_training import history, lineage, progress
from services.training.post_training.history import Lines, Point, Tail
from services.training.post_training.holdings import Holdings
from services.training.post_training.places import CHECKPOINT, Places, name_of
from services.training.post_training.submitted import JOB_KINDS, PREFIX
from services.training.post_training.supervision import Supervision
from services.training.recipe import spec as recipe
from services.training.recipe.folder import JobFolder, Saved
from services.training.recipe.spec import Kind, Spec

log = logging.getLogger(__name__)
_FOLLOW_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Status:
    """A job with what its files tell."""

    job: Job
    spec: Spec
    origin: lineage.Origin
    progress: progress.Progress
    folder: JobFolder
    checkpoints: list[Saved]
    points: list[Point]
    starts: int


class Jobs:
    """The jobs of all tenants; ``wake`` is called when one waits, ``sleep`` replaced in tests."""

    def __init__(
        self,
        store: JobStore,
        places: Places,
        supervision: Supervision,
        holdings: Holdings,
        wake: Callable[[], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._places = places
        self._supervision = supervision
        self._holdings = holdings
        self._wake = wake
        self._sleep = sleep
        self._stopping: set[asyncio.Task[None]] = set()

    async def get(self, tenant: str, uuid: str) -> Job:
        """Return a job.

        Raises:
            ResourceNotFound: the tenant has none of that uuid.
        """
        return await self._store.get(tenant, uuid)

    async def page(
        self, tenant: str, kind: Kind | None, state: State | None, size: int, after: tuple[float, str] | None
    ) -> list[Job]:
        """Return jobs, newest first."""
        kinds = JOB_KINDS if kind is None else (f"{PREFIX}{kind.value}",)
        states = tuple(State) if state is None else (state,)
        return await self._store.jobs(tenant, kinds, size=size, after=after, states=states)

    async def status(self, tenant: str, uuid: str) -> Status:
        """Return a job with what its files tell.

        Raises:
            ResourceNotFound: the tenant has none of that uuid.
        """
        job = await self._store.get(tenant, uuid)
        return await asyncio.to_thread(self._status, job)

    def _status(self, job: Job) -> Status:
        folder = self._places.of(job)
        return Status(
            job=job,
            spec=recipe.read(folder.spec()),
            origin=lineage.read(folder.path),
            progress=progress.read(job.progress),
            folder=folder,
            checkpoints=folder.checkpoints(),
            points=history.points(folder.events_file),
            starts=folder.starts(),
        )

    async def log(self, tenant: str, uuid: str, after: int, most: int) -> Lines:
        """Return the last lines of a job's log.

        Raises:
            ResourceNotFound: the tenant has no job of that uuid.
        """
        folder = self._places.of(await self._store.get(tenant, uuid))
        return await asyncio.to_thread(history.log, folder.log_file, after, most)

    async def follow_log(self, tenant: str, uuid: str, after: int) -> AsyncGenerator[Lines, None]:
        """Yield the lines of a job's log as they come, until the job's end."""
        tail = Tail(self._places.of(await self._store.get(tenant, uuid)).log_file)
        async for before, lines in self._follow(tenant, uuid, tail):
            unseen = lines[max(0, after - before) :]
            if unseen:
                yield Lines(unseen, before + len(lines))

    async def points(self, tenant: str, uuid: str, after: int, most: int) -> list[Point]:
        """Return what was measured, spread evenly where it is too much.

        Raises:
            ResourceNotFound: the tenant has no job of that uuid.
        """
        folder = self._places.of(await self._store.get(tenant, uuid))
        return history.spread(await asyncio.to_thread(history.points, folder.events_file, after), most)

    async def follow_points(self, tenant: str, uuid: str, after: int) -> AsyncGenerator[Point, None]:
        """Yield what is measured as it comes, until the job's end."""
        tail = Tail(self._places.of(await self._store.get(tenant, uuid)).events_file)
        async for before, lines in self._follow(tenant, uuid, tail):
            for number, line in enumerate(lines, before + 1):
                if number > after:
                    yield history.point(number, line)

    async def _follow(self, tenant: str, uuid: str, tail: Tail) -> AsyncGenerator[tuple[int, list[str]], None]:
        """Yield lines with the number of those before them."""
        while True:
            over = (await self._store.get(tenant, uuid)).state.final
            before = tail.count
            lines = await asyncio.to_thread(tail.read)
            if lines:
                yield before, lines
            elif over:
                return
            else:
                await self._sleep(_FOLLOW_S)

    async def cancel(self, tenant: str, uuid: str) -> None:
        """Cancel a job, and stop what it has running.

        Raises:
            ResourceNotFound: the tenant has none of that uuid.
        """
        job = await self._store.cancel(tenant, uuid)
        if job.state is State.CANCELLED:
            await self._holdings.release(job)
        if job.cancel_requested and job.state is not State.COMPLETED and progress.read(job.progress).open:
            # whoever owns the job may be dead, so it is stopped from here as well
            task = asyncio.create_task(self._stop(job))
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    async def _stop(self, job: Job) -> None:
        try:
            await self._supervision.stop(job)
        except MeshError as error:
            log.warning("job %s may go on for a step: %s", job.uuid, error.message)

    async def resume(self, tenant: str, uuid: str, checkpoint_id: str | None) -> Job:
        """Have a failed or cancelled job go on from a checkpoint, by default its last one.

        Raises:
            ResourceNotFound: the tenant has no such job, or the job no such checkpoint.
            WrongState: the job is completed, or its rows are gone.
        """
        job = await self._store.get(tenant, uuid)
        name = None
        if checkpoint_id is not None:
            known = await asyncio.to_thread(self._places.of(job).checkpoints)
            name = next((saved.name for saved in known if name_of(saved.path) == checkpoint_id), None)
            if name is None:
                raise ResourceNotFound(CHECKPOINT, checkpoint_id)
        if job.state in (State.FAILED, State.CANCELLED):
            await self._holdings.take(job)
        state = replace(progress.read(job.progress), open=False, losses=0, checkpoint=name)
        resumed = await self._store.resume(tenant, uuid, state.write())
        self._wake()
        return resumed

    async def close(self) -> None:
        """Wait for jobs that are being stopped."""
        await asyncio.gather(*self._stopping, return_exceptions=True)
